//! `coloa token` and `coloa pin`: the way applications go, by the module's configuration.

use crate::arguments::{self, SoPin, UserPin};
use crate::fault::Fault;
use crate::partition::{document, mode, pin_word};
use crate::screen::Screen;
use crate::secret::{self, Source};
use coloa_client::{Client, Config};
use coloa_wire::command::{
    Login, Pin, PinChange, Role, SessionClose, SessionOpen, TokenInfo, TokenList, UserPinInitialize,
};
use coloa_wire::hello::Body;
use coloa_wire::{Command, PartitionId, SessionId};
use serde_json::json;

pub fn list(screen: &Screen) -> Result<(), Fault> {
    let (mut documents, mut rows) = (Vec::new(), Vec::new());
    for target in &Config::load(true)?.targets {
        let client = Client::open(target)?;
        let body = client.hello()?.body;
        for token in call(&client, None, &TokenList {})?.tokens {
            let mut one = document(&token);
            one["place"] = client.place().into();
            one["body"] = body_word(body).into();
            documents.push(one);
            rows.push(vec![
                token.label.clone(),
                mode(token.mode).into(),
                pin_word(screen, token.user_pin),
                client.place().to_owned(),
                body_word(body).into(),
            ]);
        }
    }
    let header = [
        screen.text("Label", "Nhãn"),
        screen.text("Mode", "Chế độ"),
        screen.text("User PIN", "PIN người dùng"),
        screen.text("Place", "Nơi"),
        screen.text("Body", "Loại"),
    ];
    screen.rows(&json!(documents), &header, rows);
    Ok(())
}

fn body_word(body: Body) -> &'static str {
    match body {
        Body::Appliance => "appliance",
        Body::Board => "board",
        Body::Embedded => "DEVELOPMENT, NOT AN HSM",
        Body::EmulatedBoard => "EMULATED BOARD, NOT AN HSM",
    }
}

/// Only a logged-in security officer sets the user's PIN.
pub fn set_user(screen: &Screen, label: &str, so: &SoPin, user: &UserPin) -> Result<(), Fault> {
    let so = secret::present(so.source(), screen.text("SO PIN: ", "PIN cán bộ an ninh: "))?;
    let pin = secret::fresh(user.source(), screen, screen.text("New user PIN: ", "PIN người dùng mới: "))?;
    let (client, _, session) = open(label)?;
    call(&client, Some(session), &Login { role: Role::SecurityOfficer, pin: so })?;
    call(&client, Some(session), &UserPinInitialize { pin })?;
    call(&client, Some(session), &SessionClose {})?;
    told(screen)
}

pub fn change(
    screen: &Screen,
    label: &str,
    role: arguments::Role,
    (old, new): (Option<Source<'_>>, Option<Source<'_>>),
) -> Result<(), Fault> {
    let old: Pin = secret::present(old, screen.text("Present PIN: ", "PIN hiện tại: "))?;
    let new = secret::fresh(new, screen, screen.text("New PIN: ", "PIN mới: "))?;
    let (client, _, session) = open(label)?;
    if role == arguments::Role::So {
        call(&client, Some(session), &Login { role: Role::SecurityOfficer, pin: old.clone() })?;
    }
    call(&client, Some(session), &PinChange { old, new })?;
    call(&client, Some(session), &SessionClose {})?;
    told(screen)
}

fn told(screen: &Screen) -> Result<(), Fault> {
    screen.done(&json!({ "changed": true }), screen.text("The PIN is changed.", "Đã đổi mã PIN."));
    Ok(())
}

/// A session on the token with this label.
pub fn open(label: &str) -> Result<(Client, PartitionId, SessionId), Fault> {
    let mut found: Option<(Client, TokenInfo)> = None;
    for target in &Config::load(true)?.targets {
        let client = Client::open(target)?;
        let tokens = call(&client, None, &TokenList {})?.tokens;
        let mut named = tokens.into_iter().filter(|t| t.label == label);
        match (named.next(), named.next(), &found) {
            (None, _, _) => {}
            (Some(token), None, None) => found = Some((client, token)),
            _ => return Err(Fault::Ambiguous(format!("\"{label}\""))),
        }
    }
    let (client, token) = found.ok_or_else(|| Fault::Unknown(format!("token \"{label}\"")))?;
    let session = call(&client, None, &SessionOpen { partition: token.partition })?.session;
    Ok((client, token.partition, session))
}

/// Gives a token a command.
pub fn call<C: Command>(client: &Client, session: Option<SessionId>, command: &C) -> Result<C::Reply, Fault> {
    Ok(client.call(session, None, command, &[])?.0)
}
