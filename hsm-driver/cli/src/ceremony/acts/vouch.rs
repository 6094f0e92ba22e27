//! What the device vouches for: its certificates, which a witness compares on another machine, and the end of its log.

use crate::ceremony::gather::put;
use crate::ceremony::stage::Stage;
use crate::client::pem;
use crate::custodian::check_value;
use crate::fault::Fault;
use crate::screen::hex;
use crate::seal::Seal;
use coloa_wire::command::{DeviceCertificates, DeviceCertificatesReply};
use serde_json::{Value, json};
use std::path::Path;

/// Writes the certificates into the folder.
pub fn write_certificates(stage: &Stage<'_>) -> Result<DeviceCertificatesReply, Fault> {
    let all = stage.appliance()?.call(None, &DeviceCertificates {})?;
    let named = [("device", &all.device), ("audit", &all.audit), ("attestation", &all.attestation)];
    for (word, der) in named {
        put(&stage.path(Path::new(&format!("{word}.pem"))), pem(der).as_bytes())?;
    }
    Ok(all)
}

pub fn certificates(stage: &mut Stage<'_>, step: usize, by: &str) -> Result<Value, Fault> {
    let all = write_certificates(stage)?;
    let check = check_value(&all.device);
    stage.say(
        "Carry device.pem to another machine: `openssl x509 -in device.pem -outform DER | sha256sum` shows its check value (the first 16 digits).",
        "Mang device.pem sang máy khác: `openssl x509 -in device.pem -outform DER | sha256sum` cho giá trị kiểm tra (16 chữ số đầu).",
    );
    let subject = stage.screen.text("the device's certificate", "chứng thư thiết bị").to_owned();
    stage.compare(Some(step), by, &subject, &check)?;
    stage.note(step, by, json!({ "kind": "compared", "subject": "certificate", "check": check }))?;
    Ok(json!({ "certificate": check, "audit_certificate": check_value(&all.audit) }))
}

pub fn checkpoint(stage: &Stage<'_>, out: &Path) -> Result<Value, Fault> {
    let seal = Seal::ask(&mut stage.appliance()?)?;
    put(&stage.path(out), &seal.encoded())?;
    let text = &seal.checkpoint.text;
    Ok(json!({ "file": out, "number": text.number, "head": hex(&text.digest) }))
}
