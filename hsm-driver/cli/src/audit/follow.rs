//! `coloa audit follow`: each record as it comes. A connection that is lost is made anew, and the next record is the one after the
//! last that was shown; a log that does not go on from there ends it with an error.

use super::arguments::AuditFollow;
use super::place::Place;
use super::{PAGE, parse, told};
use crate::fault::Fault;
use crate::reads::Reads;
use crate::screen::Screen;
use coloa_client::CallError;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// Between two questions for what is new.
const EVERY: Duration = Duration::from_millis(500);
/// Before a lost connection is made anew, at most.
const LONGEST: Duration = Duration::from_secs(10);

/// Until it is interrupted, or as many records were shown as were asked for.
pub fn follow<R: Reads>(
    open: impl Fn() -> Result<R, Fault>,
    screen: &Screen,
    asked: &AuditFollow,
) -> Result<(), Fault> {
    let mut device = open()?;
    let mut place = asked.from.map_or_else(|| Place::end(&mut device), |from| Ok(Place::before(from)))?;
    let mut left = asked.count.unwrap_or(u64::MAX);
    while left > 0 {
        let max = u32::try_from(left).unwrap_or(PAGE).min(PAGE);
        match place.next(&mut device, max, Path::new("log")) {
            Ok((records, after)) => {
                if !show(screen, &records) {
                    return Ok(());
                }
                left = left.saturating_sub(after.number.saturating_sub(place.number));
                place = after;
                if records.is_empty() {
                    std::thread::sleep(EVERY);
                }
            }
            Err(fault) if passes(&fault) => device = again(&open, screen, &fault)?,
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

/// Whether a fault is of the way, not of what was asked.
pub fn passes(fault: &Fault) -> bool {
    use CallError as C;
    match fault {
        Fault::Socket { .. } | Fault::Lost(_) | Fault::Receiver { .. } => true,
        Fault::Call(error) => matches!(error, C::Unreachable(..) | C::Lost(..) | C::Deadline(_)),
        _ => false,
    }
}

/// A connection in place of one that was lost: asked for again and again, ever less often.
pub fn again<R>(open: &impl Fn() -> Result<R, Fault>, screen: &Screen, fault: &Fault) -> Result<R, Fault> {
    screen.aside(fault);
    let mut pause = EVERY;
    loop {
        std::thread::sleep(pause);
        pause = pause.saturating_mul(2).min(LONGEST);
        match open() {
            Err(fault) if passes(&fault) => {}
            other => return other,
        }
    }
}

/// Whether somebody still reads.
fn show(screen: &Screen, records: &[Vec<u8>]) -> bool {
    let mut out = std::io::stdout().lock();
    let mut told = records.iter().filter_map(|bytes| parse(bytes)).map(|record| {
        let line = if screen.is_json() { told::document(&record).to_string() } else { told::line(&record) };
        writeln!(out, "{line}")
    });
    let written = told.try_for_each(|line| line);
    written.and_then(|()| std::io::stdout().flush()).is_ok()
}
