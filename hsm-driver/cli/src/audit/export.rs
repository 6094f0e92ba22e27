//! `coloa audit export`: all of a log or a range of it. What was interrupted goes on where it ended, and what is complete is
//! extended by what is new.

use super::arguments::AuditExport;
use super::place::Place;
use super::{PAGE, parse, report};
use crate::fault::Fault;
use crate::reads::Reads;
use crate::screen::Screen;
use crate::seal::Seal;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;

/// The end is signed first: what is logged meanwhile is no part of this file. A range that ends before has no signed end.
pub fn export(device: &mut impl Reads, screen: &Screen, asked: &AuditExport) -> Result<(), Fault> {
    let fault = |e: std::io::Error| Fault::file(&asked.out, e);
    let seal = Seal::ask(device)?;
    let end = seal.checkpoint.text.number;
    let last = asked.to.map_or(end, |to| to.min(end));
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    let options = if asked.resume { options.create(true) } else { options.create_new(true) };
    let mut file = options.truncate(false).open(&asked.out).map_err(fault)?;
    let (mut records, mut place) = begun(&mut file, asked)?;
    while place.number < last {
        let max = u32::try_from(last.saturating_sub(place.number)).unwrap_or(PAGE).min(PAGE);
        let (page, after) = place.next(device, max, &asked.out)?;
        if page.is_empty() {
            return Err(Fault::Short { file: asked.out.clone(), record: last });
        }
        let bytes: Vec<u8> = page.iter().flat_map(|record| item(record)).collect();
        file.write_all(&bytes).map_err(fault)?;
        records.extend(page);
        place = after;
    }
    let seal = (place.number == end).then_some(seal);
    file.write_all(&seal.as_ref().map(Seal::encoded).unwrap_or_default()).map_err(fault)?;
    file.sync_all().map_err(fault)?;
    report(screen, &asked.out, &records, seal.as_ref())
}

/// The whole records of a file that was begun, where the next one goes, and the place after them. What is torn or signed behind
/// them is cut off.
fn begun(file: &mut File, asked: &AuditExport) -> Result<(Vec<Vec<u8>>, Place), Fault> {
    let fault = |e: std::io::Error| Fault::file(&asked.out, e);
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(fault)?;
    let (records, length) = whole(&bytes);
    // A file that is none of ours is not cut.
    if records.is_empty() && !bytes.is_empty() {
        return Err(Fault::file(&asked.out, "it is no export that was begun"));
    }
    let first = records.first().and_then(|record| parse(record)).map(|record| record.number);
    if let (Some(first), Some(from)) = (first, asked.from)
        && first != from
    {
        return Err(Fault::file(&asked.out, format!("it begins at record {first}, not at {from}")));
    }
    let start = Place::before(first.or(asked.from).unwrap_or(1));
    let place = start.follow(&records).map_err(|record| Fault::Chain { file: asked.out.clone(), record })?;
    file.set_len(length).map_err(fault)?;
    file.seek(SeekFrom::Start(length)).map_err(fault)?;
    Ok((records, place))
}

/// The records before anything that is torn or no record, and how many bytes they are.
fn whole(bytes: &[u8]) -> (Vec<Vec<u8>>, u64) {
    let (mut records, mut length) = (Vec::new(), 0);
    let mut decoder = minicbor::Decoder::new(bytes);
    while let Ok(record) = decoder.bytes() {
        if parse(record).is_none() {
            break;
        }
        records.push(record.to_vec());
        length = decoder.position();
    }
    (records, u64::try_from(length).unwrap_or(u64::MAX))
}

/// A record as it stands in a file.
fn item(record: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    // Writing to a `Vec` cannot fail.
    let _ = minicbor::Encoder::new(&mut out).bytes(record);
    out
}
