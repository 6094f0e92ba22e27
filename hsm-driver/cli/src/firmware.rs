//! `coloa firmware`: releases that a quorum of custodians signs (R23, R2), one after the other, each on a machine of one's own.
//!
//! No device takes part. The manifest goes round as a file; whoever signs names the image too, which must be the one.

pub mod arguments;

use crate::client::write;
use crate::custodian::{named, sign_and_say};
use crate::fault::Fault;
use crate::screen::{Screen, hex};
use arguments::{Firmware as Command, Sign};
use aws_lc_rs::digest::{SHA384, digest};
use coloa_crypto_native::Native;
use coloa_image::{Custodian, DIGEST, Manifest, Refusal, Statement, Trust, Version, Voice, key_id};
use serde_json::{Value, json};
use std::path::Path;

/// What is typed to sign.
const WORD: &str = "release";

pub fn run(screen: &Screen, command: &Command) -> Result<(), Fault> {
    match command {
        Command::Trust { custodians, out } => {
            let asked = named(custodians)?;
            let all = asked.custodians.into_iter().map(|c| Custodian { name: c.name, key: c.key });
            let threshold = u8::try_from(asked.threshold).map_err(|_| Refusal::Trust)?;
            let trust = Trust::new(threshold, all.collect())?;
            write(out, &trust.to_bytes(), 0o644)?;
            let names: Vec<_> = trust.custodians().iter().map(|c| c.name.as_str()).collect();
            let sentence = format!("{}: {}/{} ({})", out.display(), threshold, names.len(), names.join(", "));
            screen.done(&json!({ "out": out, "threshold": threshold, "custodians": names }), &sentence);
            Ok(())
        }
        Command::New { image, body, version, lowest, out } => {
            let (length, digest) = measured(image)?;
            let statement = Statement { body: body.clone(), version: *version, lowest: *lowest, length, digest };
            let manifest = Manifest::new(statement)?;
            write(out, &manifest.to_bytes(), 0o644)?;
            shown(screen, &manifest, None);
            Ok(())
        }
        Command::Sign(asked) => sign(screen, asked),
        Command::Show { manifest, trust } => {
            let trust = trust.as_deref().map(read_trust).transpose()?;
            shown(screen, &read(manifest)?, trust.as_ref());
            Ok(())
        }
        Command::Verify { manifest, image, trust, body, lowest } => {
            let (manifest, trust) = (read(manifest)?, read_trust(trust)?);
            let found = trust.verify(&Native::new(), &manifest)?;
            let body = body.as_deref().unwrap_or(&found.statement().body);
            found.admits(body, lowest.unwrap_or(Version(0)))?;
            let (length, digest) = measured(image)?;
            found.measured(length, &digest)?;
            shown(screen, &manifest, Some(&trust));
            Ok(())
        }
    }
}

fn sign(screen: &Screen, asked: &Sign) -> Result<(), Fault> {
    let mut manifest = read(&asked.manifest)?;
    if (manifest.statement().length, manifest.statement().digest) != measured(&asked.image)? {
        return Err(Refusal::Digest.into());
    }
    screen.facts_aside(facts(screen, &manifest, None));
    let typed = match &asked.confirm {
        Some(typed) => typed.clone(),
        None => screen.typed(screen.text(
            "Type \"release\" to sign exactly this; devices that trust you will run it.",
            "Gõ \"release\" để ký đúng nội dung này; thiết bị tin bạn sẽ chạy phần mềm đó.",
        ))?,
    };
    if typed != WORD {
        return Err(Fault::NotSigned);
    }
    let (key, signature) = sign_and_say(screen, &asked.by, &manifest.text())?;
    let signature = signature.try_into().map_err(|_| Fault::Key("its signature has another length".into()))?;
    manifest.add(Voice { key: key_id(&Native::new(), &key), signature })?;
    replace(&asked.manifest, &manifest.to_bytes())?;
    shown(screen, &manifest, None);
    Ok(())
}

fn shown(screen: &Screen, manifest: &Manifest, trust: Option<&Trust>) {
    let document = document(manifest, trust);
    screen.facts(&document, facts(screen, manifest, trust));
}

fn document(manifest: &Manifest, trust: Option<&Trust>) -> Value {
    let Statement { body, version, lowest, length, digest } = manifest.statement();
    json!({
        "body": body, "version": version.to_string(), "lowest": lowest.to_string(), "length": length,
        "sha384": hex(digest), "signatures": manifest.voices().len(),
        "signers": trust.map(|trust| trust.signers(&Native::new(), manifest)),
        "threshold": trust.map(Trust::threshold),
    })
}

fn facts<'a>(screen: &'a Screen, manifest: &Manifest, trust: Option<&Trust>) -> Vec<(&'a str, String)> {
    let Statement { body, version, lowest, length, digest } = manifest.statement();
    let signed = match trust {
        None => format!("{}, {}", manifest.voices().len(), screen.text("not checked", "chưa kiểm tra")),
        Some(trust) => {
            let by = trust.signers(&Native::new(), manifest);
            format!("{}/{}: {}", by.len(), trust.threshold(), by.join(", "))
        }
    };
    vec![
        (screen.text("For", "Dành cho"), body.clone()),
        (screen.text("Version", "Phiên bản"), version.to_string()),
        (screen.text("Ends all below", "Chấm dứt các bản dưới"), lowest.to_string()),
        (screen.text("Length", "Độ dài"), length.to_string()),
        ("SHA-384", hex(digest)),
        (screen.text("Signatures", "Chữ ký"), signed),
    ]
}

fn measured(image: &Path) -> Result<(u64, [u8; DIGEST]), Fault> {
    let bytes = std::fs::read(image).map_err(|e| Fault::file(image, e))?;
    let mut measured = [0; DIGEST];
    measured.copy_from_slice(digest(&SHA384, &bytes).as_ref());
    Ok((bytes.len() as u64, measured))
}

fn read(file: &Path) -> Result<Manifest, Fault> {
    Ok(Manifest::parse(&std::fs::read(file).map_err(|e| Fault::file(file, e))?)?)
}

fn read_trust(file: &Path) -> Result<Trust, Fault> {
    Ok(Trust::parse(&std::fs::read(file).map_err(|e| Fault::file(file, e))?)?)
}

/// Written aside first: what was signed before is not lost when the disk is full.
fn replace(file: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let mut aside = file.as_os_str().to_owned();
    aside.push(".new");
    write(Path::new(&aside), bytes, 0o644)?;
    std::fs::rename(&aside, file).map_err(|e| Fault::file(file, e))
}
