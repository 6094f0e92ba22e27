//! `coloa audit`. A file holds the records in order, each a CBOR byte string with the record's encoding.

use crate::fault::Fault;
use crate::screen::{Screen, hex, moment};
use crate::socket::AdminSocket;
use coloa_crypto_native::Native;
use coloa_engine::audit::{AuditRecord, verify_chain};
use coloa_wire::ErrorCode;
use coloa_wire::command::{AuditRead, decode_head};
use serde_json::json;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Records asked for at once.
pub const PAGE: u32 = 1024;

pub fn export(socket: &mut AdminSocket, screen: &Screen, out: &Path) -> Result<(), Fault> {
    let fault = |e: std::io::Error| Fault::file(out, e);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(out).map_err(fault)?;
    let mut records = Vec::new();
    let mut from = 1;
    loop {
        let page = socket.call(None, &AuditRead { from, max: PAGE })?;
        let bulk = socket.bulk();
        file.write_all(bulk).map_err(fault)?;
        records.extend(split(bulk).map_err(|_| Fault::Engine(ErrorCode::CommandMalformed))?);
        let Some(last) = records.last().and_then(|r| parse(r)).map(|r| r.number) else { break };
        if page.records == 0 || last >= page.last {
            break;
        }
        from = last.saturating_add(1);
    }
    file.sync_all().map_err(fault)?;
    report(screen, out, &records)
}

pub fn verify(screen: &Screen, file: &Path, head: Option<&str>) -> Result<(), Fault> {
    let bytes = std::fs::read(file).map_err(|e| Fault::file(file, e))?;
    let records = split(&bytes).map_err(|record| Fault::Chain { file: file.to_path_buf(), record })?;
    let digest = chain(file, &records)?;
    if head.is_some_and(|wanted| !wanted.eq_ignore_ascii_case(&hex(&digest))) {
        return Err(Fault::Head { file: file.to_path_buf() });
    }
    report(screen, file, &records)
}

fn chain(file: &Path, records: &[Vec<u8>]) -> Result<[u8; 32], Fault> {
    verify_chain(&Native::new(), records).map_err(|record| Fault::Chain { file: file.to_path_buf(), record })
}

fn report(screen: &Screen, file: &Path, records: &[Vec<u8>]) -> Result<(), Fault> {
    let digest = hex(&chain(file, records)?);
    let (first, last) = (records.first().and_then(|r| parse(r)), records.last().and_then(|r| parse(r)));
    let time = |r: &Option<AuditRecord>| r.as_ref().map_or_else(String::new, |r| moment(r.time));
    let number = |r: &Option<AuditRecord>| r.as_ref().map(|r| r.number);
    let document = json!({
        "file": file, "records": records.len(), "first": number(&first), "last": number(&last), "head": digest,
        "chain": "whole",
    });
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
        ],
    );
    Ok(())
}

/// The records of a file, or the number of the first that is cut.
pub fn split(bytes: &[u8]) -> Result<Vec<Vec<u8>>, u64> {
    let mut decoder = minicbor::Decoder::new(bytes);
    let mut records = Vec::new();
    while decoder.position() < bytes.len() {
        let number = u64::try_from(records.len()).unwrap_or(u64::MAX).saturating_add(1);
        records.push(decoder.bytes().map_err(|_| number)?.to_vec());
    }
    Ok(records)
}

/// A record, when it is one.
pub fn parse(record: &[u8]) -> Option<AuditRecord> {
    decode_head(record).ok()
}
