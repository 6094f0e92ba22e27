//! `coloa audit forward`: the log to a syslog receiver, each record at least once. The cursor moves when the receiver has read a
//! batch; whatever fails before that, the batch is sent again.

use super::arguments::AuditForward;
use super::cursor::Cursor;
use super::follow::passes;
use super::parse;
use super::place::Place;
use super::receiver::Receiver;
use super::syslog::Origin;
use crate::fault::Fault;
use crate::reads::Reads;
use crate::screen::Screen;
use coloa_wire::command::DeviceInfo;
use serde_json::json;
use std::time::Duration;

/// Records in a batch: each is a TLS connection.
const BATCH: u32 = 256;
/// Between two questions for what is new.
const EVERY: Duration = Duration::from_secs(1);
/// Between two tries, at most.
const LONGEST: Duration = Duration::from_secs(30);

/// Until it is interrupted; with `once` until nothing is left.
pub fn forward<R: Reads>(
    open: impl Fn() -> Result<R, Fault>,
    screen: &Screen,
    asked: &AuditForward,
) -> Result<(), Fault> {
    let (receiver, cursor) = (Receiver::load(asked)?, Cursor::open(&asked.cursor)?);
    let mut place = cursor.place()?.unwrap_or_else(|| Place::before(asked.from.unwrap_or(1)));
    let (begun, mut pause, mut device) = (place.number, EVERY, Some(open()?));
    loop {
        match step(&mut device, &open, &Way { receiver: &receiver, cursor: &cursor, asked }, place) {
            Ok(after) if after == place && asked.once => break,
            Ok(after) => {
                if after == place {
                    std::thread::sleep(EVERY);
                }
                (place, pause) = (after, EVERY);
            }
            Err(fault) if passes(&fault) && !asked.once => {
                screen.aside(&fault);
                device = None;
                std::thread::sleep(pause);
                pause = pause.saturating_mul(2).min(LONGEST);
            }
            Err(fault) => return Err(fault),
        }
    }
    let sent = place.number.saturating_sub(begun);
    let sentence = format!("{} {sent}", screen.text("Records delivered:", "Bản ghi đã chuyển:"));
    screen.done(&json!({ "delivered": sent, "last": place.number, "to": asked.to }), &sentence);
    Ok(())
}

/// Where records go, and where it is kept how far.
struct Way<'a> {
    receiver: &'a Receiver,
    cursor: &'a Cursor,
    asked: &'a AuditForward,
}

/// One batch, and the place after it; the same place when there is nothing new.
fn step<R: Reads>(
    device: &mut Option<R>,
    open: &impl Fn() -> Result<R, Fault>,
    way: &Way<'_>,
    place: Place,
) -> Result<Place, Fault> {
    let device = match device {
        Some(device) => device,
        None => device.insert(open()?),
    };
    let (records, after) = place.next(device, BATCH, &way.asked.cursor)?;
    if records.is_empty() {
        return Ok(place);
    }
    let serial = device.read(&DeviceInfo {})?.0.serial;
    let origin = Origin { serial, enterprise: way.asked.enterprise };
    let frame = |bytes: &Vec<u8>| parse(bytes).map(|record| origin.frame(&record, bytes)).unwrap_or_default();
    let frames: Vec<u8> = records.iter().flat_map(frame).collect();
    way.receiver.deliver(&frames)?;
    way.cursor.keep(after)?;
    Ok(after)
}
