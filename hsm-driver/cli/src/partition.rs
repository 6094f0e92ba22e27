//! `coloa partition`.

pub mod arguments;
mod settings;

use crate::arguments::partition_id;
use crate::fault::Fault;
use crate::screen::Screen;
use crate::secret;
use crate::socket::AdminSocket;
use arguments::{Partition, PartitionCreate as Asked};
use coloa_wire::PartitionId;
use coloa_wire::command::{
    Login, PartitionCreate, PartitionDestroy, PartitionMode, Pin, PinState, Role, SessionClose, SessionOpen, TokenInfo,
    TokenInitialize, TokenList, UserPinInitialize,
};
use serde_json::json;

pub fn run(open: impl FnOnce() -> Result<AdminSocket, Fault>, screen: &Screen, asked: &Partition) -> Result<(), Fault> {
    match asked {
        Partition::Create(asked) => create(open, screen, asked),
        Partition::List => list(&mut open()?, screen),
        Partition::Set(asked) => settings::set(&mut open()?, screen, asked),
        Partition::Suspend(one) => settings::suspend(&mut open()?, screen, (&one.partition, true)),
        Partition::Resume(one) => settings::suspend(&mut open()?, screen, (&one.partition, false)),
        Partition::Usage { partition } => settings::usage(&mut open()?, screen, partition.as_deref()),
        Partition::Destroy { partition, confirm } => destroy(&mut open()?, screen, partition, confirm.as_deref()),
    }
}

/// PINs are asked for before anything is made, so that a wrong one leaves nothing half done.
fn create(open: impl FnOnce() -> Result<AdminSocket, Fault>, screen: &Screen, asked: &Asked) -> Result<(), Fault> {
    let pins = if asked.without_pins { None } else { Some(pins(screen, asked)?) };
    let mut socket = open()?;
    let made = socket.call(
        None,
        &PartitionCreate {
            label: asked.label.clone(),
            mode: asked.mode.into(),
            approved_only: asked.approved_only.then_some(true),
        },
    )?;
    let partition = made.partition;
    let user_pin = match pins {
        Some((so, user)) => set_pins(&mut socket, (partition, &asked.label), so, user)?,
        None => false,
    };
    let document = json!({
        "partition": partition.to_string(), "label": asked.label, "so_pin": !asked.without_pins, "user_pin": user_pin,
    });
    screen.facts(
        &document,
        vec![
            (screen.text("Partition", "Phân vùng"), asked.label.clone()),
            (screen.text("Id", "Mã"), partition.to_string()),
            (screen.text("SO PIN", "PIN cán bộ an ninh"), set(screen, !asked.without_pins)),
            (screen.text("User PIN", "PIN người dùng"), set(screen, user_pin)),
        ],
    );
    Ok(())
}

fn set(screen: &Screen, is_set: bool) -> String {
    if is_set { screen.text("set", "đã đặt") } else { screen.text("not set", "chưa đặt") }.to_owned()
}

pub fn pins(screen: &Screen, asked: &Asked) -> Result<(Pin, Option<Pin>), Fault> {
    let prompt = format!("{} \"{}\": ", screen.text("New SO PIN of", "PIN cán bộ an ninh mới của"), asked.label);
    let so = secret::fresh(asked.so.source(), screen, &prompt)?;
    let user = match asked.user.source() {
        None if !secret::can_ask() => {
            screen.note(screen.text(
                "No user PIN given: the security officer sets it (`coloa pin set-user`).",
                "Chưa có PIN người dùng: cán bộ an ninh đặt sau (`coloa pin set-user`).",
            ));
            None
        }
        source => {
            let prompt = format!("{} \"{}\": ", screen.text("New user PIN of", "PIN người dùng mới của"), asked.label);
            Some(secret::fresh(source, screen, &prompt)?)
        }
    };
    Ok((so, user))
}

/// Whether there is a user's PIN now.
pub fn set_pins(
    socket: &mut AdminSocket,
    (partition, label): (PartitionId, &str),
    so: Pin,
    user: Option<Pin>,
) -> Result<bool, Fault> {
    socket.call(None, &TokenInitialize { partition, so_pin: so.clone(), label: label.into() })?;
    let Some(user) = user else { return Ok(false) };
    let session = Some(socket.call(None, &SessionOpen { partition })?.session);
    socket.call(session, &Login { role: Role::SecurityOfficer, pin: so })?;
    socket.call(session, &UserPinInitialize { pin: user })?;
    socket.call(session, &SessionClose {})?;
    Ok(true)
}

fn list(socket: &mut AdminSocket, screen: &Screen) -> Result<(), Fault> {
    let tokens = socket.call(None, &TokenList {})?.tokens;
    let document: Vec<_> = tokens.iter().map(document).collect();
    let header = [
        screen.text("Label", "Nhãn"),
        screen.text("Mode", "Chế độ"),
        screen.text("SO PIN", "PIN cán bộ an ninh"),
        screen.text("User PIN", "PIN người dùng"),
        screen.text("Clients", "Máy khách"),
        screen.text("Id", "Mã"),
    ];
    screen.rows(&json!(document), &header, tokens.iter().map(|t| row(screen, t)).collect());
    Ok(())
}

/// The document of a token.
pub fn document(token: &TokenInfo) -> serde_json::Value {
    let pin = |state: &PinState| json!({ "failures": state.failures, "left": state.left, "wait_ms": state.wait_ms });
    json!({
        "partition": token.partition.to_string(), "label": token.label, "mode": mode(token.mode),
        "initialized": token.initialized, "so_pin": pin(&token.so_pin), "user_pin": token.user_pin.as_ref().map(pin),
        "clients": token.clients, "approved_only": token.approved_only == Some(true),
    })
}

/// The word for a partition's rules.
pub fn mode(mode: PartitionMode) -> &'static str {
    match mode {
        PartitionMode::Strict => "strict",
        PartitionMode::Compatible => "compatible",
    }
}

fn rules(screen: &Screen, token: &TokenInfo) -> String {
    match token.approved_only {
        Some(true) => format!("{}, {}", mode(token.mode), screen.text("approved only", "chỉ dịch vụ được phê duyệt")),
        _ => mode(token.mode).into(),
    }
}

fn row(screen: &Screen, token: &TokenInfo) -> Vec<String> {
    vec![
        token.label.clone(),
        rules(screen, token),
        pin_word(screen, token.initialized.then_some(token.so_pin)),
        pin_word(screen, token.user_pin),
        token.clients.join(", "),
        token.partition.to_string(),
    ]
}

/// What is known of a PIN, in a word.
pub fn pin_word(screen: &Screen, state: Option<PinState>) -> String {
    match state {
        None => screen.text("not set", "chưa đặt").into(),
        Some(PinState { left: 0, .. }) => screen.text("locked", "bị khóa").into(),
        Some(PinState { failures: 0, .. }) => screen.text("set", "đã đặt").into(),
        Some(PinState { left, wait_ms: Some(wait), .. }) => {
            let (seconds, words) =
                (wait.div_ceil(1000), screen.text("tries left, the next in", "lần thử còn lại, sau"));
            format!("{left} {words} {seconds} s")
        }
        Some(PinState { left, .. }) => format!("{left} {}", screen.text("tries left", "lần thử còn lại")),
    }
}

fn destroy(socket: &mut AdminSocket, screen: &Screen, partition: &str, confirm: Option<&str>) -> Result<(), Fault> {
    let token = find(socket, partition)?;
    let typed = match confirm {
        Some(typed) => typed.to_owned(),
        None => screen.typed(&format!(
            "{} \"{}\": {}",
            screen
                .text("Every key of the partition will be gone for good:", "Mọi khóa của phân vùng sẽ mất vĩnh viễn:"),
            token.label,
            screen.text("type its label to go on.", "gõ lại nhãn để tiếp tục.")
        ))?,
    };
    if typed != token.label {
        return Err(Fault::NotConfirmed);
    }
    socket.call(None, &PartitionDestroy { partition: token.partition })?;
    let sentence = screen.text("Destroyed, with every key in it.", "Đã tiêu hủy cùng mọi khóa bên trong.");
    screen.done(&json!({ "destroyed": token.partition.to_string() }), sentence);
    Ok(())
}

/// The partition with this id or label.
pub fn find(socket: &mut AdminSocket, wanted: &str) -> Result<TokenInfo, Fault> {
    let tokens = socket.call(None, &TokenList {})?.tokens;
    if let Some(token) = partition_id(wanted).and_then(|id| tokens.iter().find(|t| t.partition == id)) {
        return Ok(token.clone());
    }
    let mut named = tokens.into_iter().filter(|t| t.label == wanted);
    match (named.next(), named.next()) {
        (Some(token), None) => Ok(token),
        (None, _) => Err(Fault::Unknown(format!("partition \"{wanted}\""))),
        (Some(_), Some(_)) => Err(Fault::Ambiguous(format!("\"{wanted}\""))),
    }
}
