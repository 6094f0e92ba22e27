//! `coloa attest`: what a device says of a key, and whether it said so. Checking needs no device and no network.

pub mod arguments;
mod broken;
mod evidence;
mod show;

pub use broken::Broken;

use crate::client::{pem, write};
use crate::fault::Fault;
use crate::key::{all, choose};
use crate::screen::Screen;
use crate::{secret, token};
use arguments::{Attest, AttestKey};
use coloa_wire::command::{DeviceCertificates, KeyAttest, Login, Role, SessionClose, decode_head, statement_signed};
use evidence::Evidence;
use serde_json::json;
use std::path::Path;

/// Carries out a command.
pub fn run(screen: &Screen, command: &Attest) -> Result<(), Fault> {
    match command {
        Attest::Key(asked) => key(screen, asked),
        Attest::Verify(asked) => {
            let evidence = Evidence::read(&asked.file)?;
            show::verified(screen, asked, &evidence.check(asked)?);
            Ok(())
        }
        Attest::Split { file, out } => split(screen, &Evidence::read(file)?, out),
    }
}

fn key(screen: &Screen, asked: &AttestKey) -> Result<(), Fault> {
    let pin = secret::present(asked.user.source(), screen.text("User PIN: ", "PIN người dùng: "))?;
    let (client, partition, session) = token::open(&asked.token)?;
    token::call(&client, Some(session), &Login { role: Role::User, pin })?;
    let key = choose(all(partition, |page| token::call(&client, Some(session), page))?, &asked.key)?;
    let question = KeyAttest { object: key.object, nonce: asked.nonce.0.clone() };
    let reply = token::call(&client, Some(session), &question)?;
    let certificates = token::call(&client, None, &DeviceCertificates {})?;
    token::call(&client, Some(session), &SessionClose {})?;
    let evidence = Evidence { reply, device: certificates.device, attestation: certificates.attestation };
    let broken = Fault::Attestation { file: asked.out.clone(), broken: Broken::Form };
    let said = decode_head(&evidence.reply.statement).map_err(|_| broken)?;
    write(&asked.out, &evidence.encoded(), 0o644)?;
    show::written(screen, &asked.out, &said);
    Ok(())
}

/// What OpenSSL needs to walk the same way.
fn split(screen: &Screen, evidence: &Evidence, prefix: &Path) -> Result<(), Fault> {
    let reply = &evidence.reply;
    let mut parts = vec![
        ("device.pem", pem(&evidence.device).into_bytes()),
        ("attestation.pem", pem(&evidence.attestation).into_bytes()),
        ("signed.bin", statement_signed(&reply.statement)),
        ("signature.der", show::der(&reply.signature)),
    ];
    parts.extend(reply.certificate.as_ref().map(|der| ("key.pem", pem(der).into_bytes())));
    let mut files = Vec::new();
    for (word, content) in parts {
        let mut name = prefix.as_os_str().to_owned();
        name.push(format!("-{word}"));
        write(Path::new(&name), &content, 0o644)?;
        files.push((word, name.to_string_lossy().into_owned()));
    }
    let document = json!({ "files": files.iter().map(|(_, name)| name).collect::<Vec<_>>() });
    screen.facts(&document, files);
    Ok(())
}
