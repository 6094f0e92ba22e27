//! `coloa audit`. A file holds the records in order, each a CBOR byte string with the record's encoding, then a [`Seal`]: a CBOR
//! map with the end of the log as the device signed it.

pub mod arguments;
mod cursor;
mod export;
mod follow;
mod forward;
mod place;
mod receiver;
mod syslog;
mod told;

use crate::client::{pem, write};
use crate::fault::Fault;
use crate::reads::{Auditor, Reads};
use crate::screen::{Screen, hex, moment};
use crate::seal::Seal;
use crate::socket::AdminSocket;
use arguments::{Audit, AuditArguments, AuditVerify};
use coloa_crypto_native::Native;
use coloa_engine::audit::{AuditRecord, CLOCK_STEPPED_BACK, verify_against, verify_chain};
use coloa_wire::ErrorCode;
use coloa_wire::command::{AuditRead, DeviceCertificates, decode_head};
use serde_json::json;
use std::path::Path;

/// Records asked for at once.
pub const PAGE: u32 = 1024;

/// On the local socket, or from afar.
pub fn run(
    open: impl Fn() -> Result<AdminSocket, Fault>,
    screen: &Screen,
    asked: &AuditArguments,
) -> Result<(), Fault> {
    match (&asked.command, asked.remote) {
        (Audit::Verify(asked), _) => verify(screen, asked),
        (Audit::Follow(asked), false) => follow::follow(open, screen, asked),
        (Audit::Follow(asked), true) => follow::follow(Auditor::open, screen, asked),
        (Audit::Forward(asked), false) => forward::forward(open, screen, asked),
        (Audit::Forward(asked), true) => forward::forward(Auditor::open, screen, asked),
        (command, false) => ask(&mut open()?, screen, command),
        (command, true) => ask(&mut Auditor::open()?, screen, command),
    }
}

fn ask(device: &mut impl Reads, screen: &Screen, command: &Audit) -> Result<(), Fault> {
    match command {
        Audit::Export(asked) => export::export(device, screen, asked),
        Audit::Checkpoint { out } => checkpoint(device, screen, out),
        Audit::Certificates { out } => certificates(device, screen, out),
        Audit::Verify(asked) => verify(screen, asked),
        // They make their own connections.
        Audit::Follow(_) | Audit::Forward(_) => Ok(()),
    }
}

/// Reads the records from one to another; each page's bytes are given on as they come.
pub fn pages(
    device: &mut impl Reads,
    (mut from, last): (u64, u64),
    mut each: impl FnMut(&[u8]) -> Result<(), Fault>,
) -> Result<Vec<Vec<u8>>, Fault> {
    let mut records: Vec<Vec<u8>> = Vec::new();
    while from <= last {
        let max = u32::try_from(last.saturating_sub(from).saturating_add(1)).unwrap_or(PAGE).min(PAGE);
        let (_, bulk) = device.read(&AuditRead { from, max })?;
        let (page, _) = split(&bulk).map_err(|_| Fault::Engine(ErrorCode::CommandMalformed))?;
        each(&bulk)?;
        let Some(number) = page.last().and_then(|r| parse(r)).map(|r| r.number) else { break };
        records.extend(page);
        from = number.saturating_add(1);
    }
    Ok(records)
}

fn verify(screen: &Screen, asked: &AuditVerify) -> Result<(), Fault> {
    let file = asked.file.as_path();
    let bytes = std::fs::read(file).map_err(|e| Fault::file(file, e))?;
    let broken = |record| Fault::Chain { file: file.to_path_buf(), record };
    let (records, seal) = split(&bytes).map_err(broken)?;
    let trusted = asked.device_certificate.as_deref();
    if let Some(seal) = &seal {
        seal.check(file, trusted)?;
        verify_against(&Native::new(), &records, &seal.checkpoint.text.digest).map_err(broken)?;
    }
    let digest = chain(file, &records)?;
    let held = asked.checkpoint.as_deref().map(|path| held(file, &records, path, trusted)).transpose()?;
    if trusted.is_some() && seal.is_none() && held.is_none() {
        return Err(Fault::Unsealed { file: file.to_path_buf() });
    }
    if asked.head.as_ref().is_some_and(|wanted| !wanted.eq_ignore_ascii_case(&hex(&digest))) {
        return Err(Fault::Head { file: file.to_path_buf() });
    }
    report(screen, file, &records, seal.as_ref().or(held.as_ref()))
}

/// A checkpoint that somebody kept: its record is in the log, and is the one that was signed.
fn held(file: &Path, records: &[Vec<u8>], path: &Path, trusted: Option<&Path>) -> Result<Seal, Fault> {
    let seal = Seal::read(path)?;
    seal.check(path, trusted)?;
    let text = &seal.checkpoint.text;
    let is_meant = |r: &&Vec<u8>| parse(r).is_some_and(|r| r.number == text.number);
    let found = records.iter().rev().find(is_meant);
    let short = || Fault::Short { file: file.to_path_buf(), record: text.number };
    let up_to = found.ok_or_else(short)?;
    let own = verify_against(&Native::new(), std::slice::from_ref(up_to), &text.digest);
    own.map_err(|record| Fault::Chain { file: file.to_path_buf(), record })?;
    Ok(seal)
}

/// The present end of the log, signed, to be kept where the appliance does not reach.
fn checkpoint(device: &mut impl Reads, screen: &Screen, out: &Path) -> Result<(), Fault> {
    let seal = Seal::ask(device)?;
    write(out, &seal.encoded(), 0o644)?;
    let text = &seal.checkpoint.text;
    screen.facts(
        &json!({ "file": out, "serial": text.serial, "number": text.number, "head": hex(&text.digest), "time": text.time }),
        vec![
            (screen.text("File", "Tệp"), out.display().to_string()),
            (screen.text("Device", "Thiết bị"), text.serial.clone()),
            (screen.text("Last record", "Bản ghi cuối"), text.number.to_string()),
            (screen.text("Head", "Băm cuối"), hex(&text.digest)),
            (screen.text("Signed at", "Ký lúc"), moment(text.time)),
        ],
    );
    Ok(())
}

/// The certificates of the device's signing keys, as OpenSSL reads them.
fn certificates(device: &mut impl Reads, screen: &Screen, prefix: &Path) -> Result<(), Fault> {
    let all = device.read(&DeviceCertificates {})?.0;
    let named = [("device", &all.device), ("audit", &all.audit), ("attestation", &all.attestation)];
    let mut files = Vec::new();
    for (word, der) in named {
        let mut name = prefix.as_os_str().to_owned();
        name.push(format!("-{word}.pem"));
        write(Path::new(&name), pem(der).as_bytes(), 0o644)?;
        files.push((word, name.to_string_lossy().into_owned()));
    }
    let document = json!({ "files": files.iter().map(|(_, name)| name).collect::<Vec<_>>() });
    screen.facts(&document, files);
    Ok(())
}

fn chain(file: &Path, records: &[Vec<u8>]) -> Result<[u8; 32], Fault> {
    verify_chain(&Native::new(), records).map_err(|record| Fault::Chain { file: file.to_path_buf(), record })
}

fn report(screen: &Screen, file: &Path, records: &[Vec<u8>], seal: Option<&Seal>) -> Result<(), Fault> {
    let digest = hex(&chain(file, records)?);
    let (first, last) = (records.first().and_then(|r| parse(r)), records.last().and_then(|r| parse(r)));
    let time = |r: &Option<AuditRecord>| r.as_ref().map_or_else(String::new, |r| moment(r.time));
    let number = |r: &Option<AuditRecord>| r.as_ref().map(|r| r.number);
    let document = json!({
        "file": file, "records": records.len(), "first": number(&first), "last": number(&last), "head": digest,
        "chain": "whole", "signed": seal.map(|s| s.checkpoint.text.number), "clock_steps": clock_steps(records),
    });
    let nothing = || screen.text("nothing", "chưa").to_owned();
    let signed = seal.map_or_else(nothing, |s| s.checkpoint.text.number.to_string());
    let steps = clock_steps(records).iter().map(|n| format!("#{n}")).collect::<Vec<_>>().join(" ");
    let steps = if steps.is_empty() { screen.text("never", "không").to_owned() } else { steps };
    let whole =
        screen.text("whole: each record follows from the one before", "liền mạch: mỗi bản ghi nối bản ghi trước");
    screen.facts(
        &document,
        vec![
            (screen.text("File", "Tệp"), file.display().to_string()),
            (screen.text("Records", "Bản ghi"), records.len().to_string()),
            (screen.text("From", "Từ"), time(&first)),
            (screen.text("To", "Đến"), time(&last)),
            (screen.text("Chain", "Chuỗi"), whole.to_owned()),
            (screen.text("Head", "Băm cuối"), digest.clone()),
            (screen.text("Signed up to", "Đã ký đến"), signed),
            (screen.text("Clock set back", "Đồng hồ lùi"), steps),
        ],
    );
    Ok(())
}

/// The records before which the clock went back (R19): those that say so, and those whose time does.
fn clock_steps(records: &[Vec<u8>]) -> Vec<u64> {
    let mut before = 0;
    let mut steps = Vec::new();
    for record in records.iter().filter_map(|r| parse(r)) {
        if record.time < before || record.event.action == CLOCK_STEPPED_BACK {
            steps.push(record.number);
        }
        before = record.time;
    }
    steps
}

/// What a file holds: records, and the signed end where there is one.
pub type Contents = (Vec<Vec<u8>>, Option<Seal>);

/// The records of a file, or the number of the first that is cut.
pub fn split(bytes: &[u8]) -> Result<Contents, u64> {
    let mut decoder = minicbor::Decoder::new(bytes);
    let mut records: Vec<Vec<u8>> = Vec::new();
    while decoder.position() < bytes.len() {
        let number = records.last().and_then(|r| parse(r)).map_or(0, |r| r.number).saturating_add(1);
        if decoder.datatype().map_err(|_| number)? == minicbor::data::Type::Map {
            let rest = bytes.get(decoder.position()..).unwrap_or_default();
            return decode_head(rest).map(|seal| (records, Some(seal))).map_err(|_| number);
        }
        records.push(decoder.bytes().map_err(|_| number)?.to_vec());
    }
    Ok((records, None))
}

/// A record, when it is one.
pub fn parse(record: &[u8]) -> Option<AuditRecord> {
    decode_head(record).ok()
}
