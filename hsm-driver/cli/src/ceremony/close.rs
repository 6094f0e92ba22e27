//! The end of a ceremony: a statement that names the plan and the journal by their SHA-256, signed by custodians, each with the
//! key of the quorum; then the device notes the journal's end in its audit log and signs that.
//!
//! The folder holds everything in the form that OpenSSL reads: `statement.txt` with `custodian-N.pem` and `custodian-N.sig`,
//! `checkpoint.bin` with `checkpoint.sig`, `audit.pem`, `device.pem`.

use super::Trouble;
use super::acts::vouch::write_certificates;
use super::arguments::{Sign, signed_by};
use super::gather::{carried, is_theirs, put};
use super::journal::{Journal, What, data, sha256};
use super::plan::{Person, Plan, Role, is_hidden};
use super::signature;
use super::stage::{Stage, key_of, notes};
use crate::audit::pages;
use crate::client::write;
use crate::custodian::arguments::SignedBy;
use crate::custodian::{self, check_value};
use crate::fault::Fault;
use crate::screen::{Screen, hex};
use crate::seal::Seal;
use coloa_wire::command::CUSTODIAN_KEY;
use pkcs8::der::pem::{LineEnding, encode_string};
use serde_json::json;
use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;

/// The statement's first line, which separates these signatures from those over acts.
const DOMAIN: &str = "coloa ceremony 1";
pub const STATEMENT: &str = "statement.txt";
pub const AUDIT: &str = "audit.cbor";
/// How often a custodian may try to sign.
const TRIES: usize = 3;
/// Longer files are no statement.
const MAX_STATEMENT: usize = 256 * 1024;
/// Longer files are no signature.
const MAX_SIGNATURE: u64 = 1024;
/// What stands before the point in a SubjectPublicKeyInfo on P-384 (RFC 5480 §2).
const SPKI: [u8; 23] = [
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00,
    0x22, 0x03, 0x62, 0x00,
];

/// What custodians sign, made of the plan and of the journal up to the end of its steps; `None` before that.
pub fn statement(plan: &Plan, journal: &Journal) -> Option<String> {
    let at = journal.records.iter().position(|r| r.what == What::Concluded)?;
    let (concluded, digest) = (journal.records.get(at)?, journal.digests.get(at)?);
    let mut text = format!("{DOMAIN}\n");
    let plan_digest = journal.opened()?.text("plan").to_owned();
    let lines = [
        ("title", plan.title.clone()),
        ("place", plan.place.clone()),
        ("device", concluded.text("serial").to_owned()),
        ("device certificate", format!("SHA-256 {}", concluded.text("certificate_sha256"))),
        ("plan", format!("SHA-256 {plan_digest}")),
        ("journal", format!("{} records, the last of SHA-256 {}", concluded.number, hex(digest))),
        ("quorum", format!("{} of {}", plan.quorum, plan.custodians().count())),
    ];
    for (name, value) in lines {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "{name}: {value}");
    }
    for person in &plan.people {
        let _ = match person.role {
            Role::Operator => writeln!(text, "operator: {}", person.name),
            Role::Witness => writeln!(text, "witness: {}", person.name),
            Role::Custodian => {
                writeln!(text, "custodian: {}, key {}", person.name, check_value(&key_of(journal, &person.name)))
            }
        };
    }
    Some(text)
}

/// Everything after the last step.
pub fn close(stage: &mut Stage<'_>) -> Result<(), Fault> {
    let operator = stage.plan.operator().to_owned();
    let certificates = write_certificates(stage)?;
    if stage.journal.last(What::Concluded).is_none() {
        let serial = stage.journal.known_text("serial").unwrap_or_default().to_owned();
        let said = json!({ "serial": serial, "certificate_sha256": hex(&sha256(&certificates.device)) });
        stage.journal.append(What::Concluded, None, &operator, data(said))?;
    }
    let text = statement(&stage.plan, &stage.journal).unwrap_or_default();
    put(&stage.path(Path::new(STATEMENT)), text.as_bytes())?;
    sign_all(stage, &text)?;
    witness(stage, &operator)
}

/// Every custodian who is there signs; so many as are a quorum must.
fn sign_all(stage: &mut Stage<'_>, text: &str) -> Result<(), Fault> {
    let names: Vec<String> = stage.plan.custodians().map(|p| p.name.clone()).collect();
    stage.screen.note(&format!("\n{text}"));
    for (index, name) in (1..).zip(&names) {
        let signed = stage.journal.records.iter().find(|r| r.what == What::Signed && r.person == *name);
        let known = signed.map(|r| data_encoding::HEXLOWER.decode(r.text("signature").as_bytes()).unwrap_or_default());
        let signature = match known {
            Some(signature) => signature,
            None => match signed_statement(stage, name, text)? {
                Some(signature) => signature,
                None => continue,
            },
        };
        let key = encode_string("PUBLIC KEY", LineEnding::LF, &[&SPKI[..], &stage.key_of(name)].concat());
        let key = key.map_err(|e| Fault::Key(e.to_string()))?;
        put(&stage.path(Path::new(&format!("custodian-{index}.pem"))), key.as_bytes())?;
        put(&stage.path(Path::new(&format!("custodian-{index}.sig"))), &signature)?;
    }
    let given = stage.journal.records.iter().filter(|r| r.what == What::Signed).count();
    match u32::try_from(given).unwrap_or(u32::MAX) >= stage.plan.quorum {
        true => Ok(()),
        false => Err(Trouble::TooFew { given, wanted: stage.plan.quorum }.into()),
    }
}

/// One custodian's signature, recorded; `None` when the custodian is not there.
fn signed_statement(stage: &mut Stage<'_>, name: &str, text: &str) -> Result<Option<Vec<u8>>, Fault> {
    let mut tries = 0;
    let signature = loop {
        tries += 1;
        match asked_for(stage, name, text) {
            Ok(Some(signature)) => break signature,
            Ok(None) => return Ok(None),
            Err(fault) if is_theirs(&fault) && tries < TRIES => stage.screen.fault(&fault),
            Err(fault) => return Err(fault),
        }
    };
    let said = json!({ "signature": hex(&signature) });
    stage.journal.append(What::Signed, None, name, data(said))?;
    Ok(Some(signature))
}

fn asked_for(stage: &Stage<'_>, name: &str, text: &str) -> Result<Option<Vec<u8>>, Fault> {
    let Some(person) = stage.plan.custodians().find(|p| p.name == name) else { return Ok(None) };
    let signature = match person.signed_by(&stage.dir) {
        Some(by) => here(stage, &by, text)?,
        None => elsewhere(stage, person, text)?,
    };
    let Some(signature) = signature else { return Ok(None) };
    if signature::is_der(&stage.key_of(name), text.as_bytes(), &signature) {
        return Ok(Some(signature));
    }
    let why =
        stage.screen.text("it is not signed with this custodian's key", "không phải chữ ký bằng khóa của người này");
    Err(Trouble::Answer { person: name.to_owned(), why: why.into() }.into())
}

fn here(stage: &Stage<'_>, by: &SignedBy, text: &str) -> Result<Option<Vec<u8>>, Fault> {
    let how = stage.screen.text(
        "type \"sign\" to sign the statement above, or \"absent\".",
        "gõ \"sign\" để ký bản tuyên bố trên, hoặc \"absent\" nếu vắng.",
    );
    match stage.choose(&format!("{}: {how}", by.custodian), &["sign", "absent"])?.as_str() {
        "absent" => Ok(None),
        _ => made(stage.screen, by, text).map(Some),
    }
}

fn made(screen: &Screen, by: &SignedBy, text: &str) -> Result<Vec<u8>, Fault> {
    let fixed = custodian::sign(screen, &by.by, text.as_bytes())?;
    signature::der(&fixed).ok_or_else(|| Fault::Key("the signature is of another length".into()))
}

/// By a removable medium.
fn elsewhere(stage: &Stage<'_>, person: &Person, text: &str) -> Result<Option<Vec<u8>>, Fault> {
    let Some(folder) = person.medium.as_ref().map(|path| stage.path(path)) else { return Ok(None) };
    put(&folder.join(STATEMENT), text.as_bytes())?;
    let how = format!("coloa ceremony sign {STATEMENT} --out statement.sig ...");
    if !carried(stage, person, (&how, &check_value(text.as_bytes())))? {
        return Ok(None);
    }
    let file = folder.join("statement.sig");
    let mut signature = Vec::new();
    let read = std::fs::File::open(&file).and_then(|f| f.take(MAX_SIGNATURE).read_to_end(&mut signature));
    read.map(|_| Some(signature)).map_err(|e| Fault::file(&file, e))
}

/// `coloa ceremony sign`: on a machine that never saw the appliance.
pub fn sign(screen: &Screen, asked: &Sign) -> Result<(), Fault> {
    let file = asked.file.as_path();
    let bytes = std::fs::read(file).map_err(|e| Fault::file(file, e))?;
    let wrong =
        || Fault::file(file, screen.text("it is no statement of a ceremony", "không phải bản tuyên bố của buổi lễ"));
    let text = String::from_utf8(bytes).map_err(|_| wrong())?;
    let shown = text.lines().all(|line| !line.chars().any(is_hidden));
    if !text.starts_with(&format!("{DOMAIN}\n")) || text.len() > MAX_STATEMENT || !shown {
        return Err(wrong());
    }
    let check = check_value(text.as_bytes());
    screen.note(&format!("{text}\n{}: {check}", screen.text("Check value", "Giá trị kiểm tra")));
    let typed = match &asked.confirm {
        Some(typed) => typed.clone(),
        None => screen.typed(screen.text(
            "Type \"sign\" to sign exactly this, once the check value is the one on the other screen.",
            "Gõ \"sign\" để ký đúng nội dung này, khi giá trị kiểm tra trùng với màn hình kia.",
        ))?,
    };
    if typed != "sign" {
        return Err(Fault::NotSigned);
    }
    let by = signed_by("", asked.key.clone(), asked.passphrase.clone(), asked.token.clone());
    let signature = made(screen, &by, &text)?;
    write(&asked.out, &signature, 0o644)?;
    let next = screen.text("Carry it back to the ceremony.", "Mang về buổi lễ.");
    screen.done(&json!({ "out": asked.out, "check_value": check }), &format!("{}: {next}", asked.out.display()));
    Ok(())
}

/// The device notes the journal's end, and signs its log with that in it.
fn witness(stage: &mut Stage<'_>, operator: &str) -> Result<(), Fault> {
    stage.anchor()?;
    let mut socket = stage.appliance()?;
    let seal = Seal::ask(&mut socket)?;
    let from = stage.journal.known("audit_from").and_then(serde_json::Value::as_u64).unwrap_or(1);
    let number = seal.checkpoint.text.number;
    let mut bytes = Vec::new();
    let records = pages(&mut socket, (from, number), |page| {
        bytes.extend_from_slice(page);
        Ok(())
    })?;
    let noted = notes(&records, &stage.journal);
    if noted.last().is_none_or(|(_, digest)| *digest != stage.journal.head()) {
        return Err(Trouble::Cut { file: stage.path(Path::new(AUDIT)) }.into());
    }
    bytes.extend_from_slice(&seal.encoded());
    put(&stage.path(Path::new(AUDIT)), &bytes)?;
    put(&stage.path(Path::new("checkpoint.bin")), &seal.checkpoint.text.signed())?;
    let der = signature::der(&seal.checkpoint.signature).unwrap_or_default();
    put(&stage.path(Path::new("checkpoint.sig")), &der)?;
    let said = json!({ "audit": hex(&sha256(&bytes)), "number": number, "head": hex(&seal.checkpoint.text.digest) });
    stage.journal.append(What::Closed, None, operator, data(said))
}

const _: () = assert!(SPKI.len() + CUSTODIAN_KEY == 120);
