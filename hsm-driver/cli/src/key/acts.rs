//! What is done to keys: by the administrator of the machine, by the security officer with a PIN, and by the user, who goes
//! the way applications go.

use super::arguments::{Act, Chosen, Said};
use super::pages::{all, choose, chosen};
use super::words::{class_word, moment, state_word, type_word};
use crate::arguments::{SoPin, UserPin};
use crate::fault::Fault;
use crate::screen::{Screen, hex};
use crate::socket::AdminSocket;
use crate::{secret, token};
use coloa_wire::command::*;
use coloa_wire::{PartitionId, SessionId};
use serde_json::{Value, json};

/// Takes from what a key may do: no PIN, so that it is done at once.
pub fn restrict(socket: &mut AdminSocket, screen: &Screen, act: &Act, state: KeyState) -> Result<(), Fault> {
    let (token, key) = chosen(socket, &act.chosen)?;
    let command = KeyStateSet { partition: token.partition, object: key.object, state, reason: act.reason.clone() };
    let reply = socket.call(None, &command)?;
    stated(screen, &key, state, &reply);
    Ok(())
}

/// Gives it back.
pub fn release(socket: &mut AdminSocket, screen: &Screen, act: &Act, so: &SoPin) -> Result<(), Fault> {
    let (token, key) = chosen(socket, &act.chosen)?;
    let state = KeyState::Active;
    let command = KeyStateSet { partition: token.partition, object: key.object, state, reason: act.reason.clone() };
    let session = log_in(socket, screen, token.partition, so)?;
    let reply = socket.call(Some(session), &command)?;
    socket.call(Some(session), &SessionClose {})?;
    stated(screen, &key, state, &reply);
    Ok(())
}

fn log_in(socket: &mut AdminSocket, screen: &Screen, id: PartitionId, so: &SoPin) -> Result<SessionId, Fault> {
    let pin = secret::present(so.source(), screen.text("SO PIN: ", "PIN cán bộ an ninh: "))?;
    let session = socket.call(None, &SessionOpen { partition: id })?.session;
    socket.call(Some(session), &Login { role: Role::SecurityOfficer, pin })?;
    Ok(session)
}

fn stated(screen: &Screen, key: &KeyEntry, state: KeyState, reply: &KeyStateSetReply) {
    let objects: Vec<_> = reply.objects.iter().map(ToString::to_string).collect();
    let document = json!({ "object": key.object.to_string(), "state": state.name(), "objects": objects });
    let sentence = format!(
        "{} {} ({}: {})",
        screen.text("The key is", "Khóa:"),
        state_word(screen, state),
        screen.text(
            "objects changed, copies and both halves of a pair included",
            "số đối tượng đã đổi, gồm bản sao và cả cặp khóa"
        ),
        objects.len()
    );
    screen.done(&document, &sentence);
}

pub fn describe(socket: &mut AdminSocket, screen: &Screen, which: &Chosen, said: &Said) -> Result<(), Fault> {
    let (token, key) = chosen(socket, which)?;
    let metadata = KeyMetadata {
        organ: said.organ.clone(),
        site: said.site.clone(),
        purpose: said.purpose.clone(),
        owner: said.owner.clone(),
        classification: said.classification,
        crypto_period: said.crypto_period,
        max_uses: said.max_uses,
    };
    socket.call(None, &KeyDescribe { partition: token.partition, object: key.object, metadata })?;
    let sentence = screen.text("Noted on the key.", "Đã ghi vào khóa.");
    screen.done(&json!({ "object": key.object.to_string() }), sentence);
    Ok(())
}

pub fn destroy(
    socket: &mut AdminSocket,
    screen: &Screen,
    (act, so): (&Act, &SoPin),
    confirm: Option<&str>,
) -> Result<(), Fault> {
    let (token, key) = chosen(socket, &act.chosen)?;
    let check = hex(&key.check_value);
    let wanted = if check.is_empty() { key.object.to_string() } else { check };
    let typed = match confirm {
        Some(typed) => typed.to_owned(),
        None => ask(screen, &wanted)?,
    };
    if !typed.eq_ignore_ascii_case(&wanted) {
        return Err(Fault::NotConfirmed);
    }
    let session = log_in(socket, screen, token.partition, so)?;
    let command = KeyDestroy { partition: token.partition, object: key.object, reason: act.reason.clone() };
    let record = socket.call(Some(session), &command)?;
    socket.call(Some(session), &SessionClose {})?;
    certificate(screen, &token.label, &record);
    Ok(())
}

fn ask(screen: &Screen, wanted: &str) -> Result<String, Fault> {
    screen.note(&format!(
        "{} {wanted}",
        screen.text(
            "The key will be gone for good. Type its check value to go on:",
            "Khóa sẽ mất vĩnh viễn. Gõ lại giá trị kiểm tra để tiếp tục:"
        )
    ));
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(|_| Fault::NotConfirmed)?;
    Ok(line.trim().to_owned())
}

/// What is certified, and exactly what it proves and what it does not.
fn certificate(screen: &Screen, partition: &str, record: &KeyDestroyReply) {
    let remaining: Vec<_> = record.remaining.iter().map(ToString::to_string).collect();
    let proves = screen.text(
        "That the object left the set of records that the store's root authenticates, in the same commit as the audit record named here; the log's head and its checkpoints cover that record.",
        "Đối tượng đã ra khỏi tập bản ghi được gốc kho xác thực, cùng một lần ghi với bản ghi kiểm toán nêu ở đây; băm cuối và các điểm kiểm tra của nhật ký bao trùm bản ghi đó.",
    );
    let not = screen.text(
        "Not that no copy is left: the copies listed here, copies in open sessions, wrapped keys outside, and sealed bytes in old pages of the medium, in snapshots and in backups, which open for who has the partition's KEK until the partition is destroyed.",
        "Không chứng minh đã hết bản sao: các bản sao nêu ở đây, bản sao trong phiên đang mở, khóa đã bọc ở bên ngoài, và dữ liệu niêm phong còn trong vùng cũ của thiết bị lưu, ảnh chụp và bản sao lưu; người có KEK của phân vùng mở được cho đến khi phân vùng bị tiêu hủy.",
    );
    let audit = record.audit.as_ref().map(|place| json!({ "number": place.number, "digest": hex(&place.digest) }));
    let document: Value = json!({
        "partition": partition, "object": record.object.to_string(), "class": class_word(record.class),
        "type": type_word(record.key_type, 0), "check_value": hex(&record.check_value),
        "label_sha256": hex(&record.label_hash), "time": moment(record.time), "audit": audit, "remaining": remaining,
        "proves": proves, "does_not_prove": not,
    });
    let place = record
        .audit
        .as_ref()
        .map_or_else(String::new, |place| format!("{}, SHA-256 {}", place.number, hex(&place.digest)));
    let facts = vec![
        (screen.text("CERTIFICATE OF DESTRUCTION", "CHỨNG NHẬN TIÊU HỦY KHÓA"), partition.to_owned()),
        (screen.text("Object", "Đối tượng"), record.object.to_string()),
        (screen.text("Kind", "Loại"), format!("{}, {}", type_word(record.key_type, 0), class_word(record.class))),
        (screen.text("Check value", "Giá trị kiểm tra"), hex(&record.check_value)),
        (screen.text("SHA-256 of the label", "SHA-256 của nhãn"), hex(&record.label_hash)),
        (screen.text("Time", "Thời điểm"), moment(record.time)),
        (screen.text("Audit record", "Bản ghi kiểm toán"), place),
        (screen.text("Copies that remain", "Bản sao còn lại"), remaining.join(", ")),
        (screen.text("It proves", "Chứng minh"), proves.to_owned()),
        (screen.text("It does not prove", "Không chứng minh"), not.to_owned()),
    ];
    screen.facts(&document, facts);
}

/// The user has a key replaced, over the application's configuration.
pub fn rotate(screen: &Screen, (label, wanted): (&str, &str), reason: &str, user: &UserPin) -> Result<(), Fault> {
    let pin = secret::present(user.source(), screen.text("User PIN: ", "PIN người dùng: "))?;
    let (client, partition, session) = token::open(label)?;
    token::call(&client, Some(session), &Login { role: Role::User, pin })?;
    let keys = all(partition, |page| token::call(&client, Some(session), page))?;
    let key = choose(keys.into_iter().filter(|key| key.state == KeyState::Active).collect(), wanted)?;
    let command = KeyRotate { partition, object: key.object, reason: reason.into() };
    let reply = token::call(&client, Some(session), &command)?;
    token::call(&client, Some(session), &SessionClose {})?;
    let old: Vec<_> = reply.old.iter().map(ToString::to_string).collect();
    let document = json!({
        "object": reply.object.to_string(), "public": reply.public.map(|id| id.to_string()), "version": reply.version,
        "old": old,
    });
    let sentence = format!(
        "{} {} {}. {}",
        screen.text("Version", "Phiên bản"),
        reply.version,
        screen.text("is active", "đang hoạt động"),
        screen.text(
            "The old key goes on decrypting; applications find the new one by its label and the attribute 0x8000c101 = 2.",
            "Khóa cũ vẫn giải mã; ứng dụng tìm khóa mới theo nhãn và thuộc tính 0x8000c101 = 2."
        )
    );
    screen.done(&document, &sentence);
    Ok(())
}
