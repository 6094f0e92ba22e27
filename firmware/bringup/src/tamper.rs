//! Tampering with a board (R15): its factory page is destroyed, and with it the root key; the event is counted for good; and only
//! a quorum has the board run again.
//!
//! The line's handler calls [`strike`]: one entry in a counter that never falls says that it happened, then the page is
//! overwritten with zeros where it lies, which flash does at once and without an erase. Were the power cut in between, the
//! boot stage does the rest before anything else runs: [`returned`] destroys every page that no quorum has allowed since.
//!
//! The custodians of firmware, kept beside the page, allow one: they sign a manifest whose image is the new page, whose body is
//! the board's name and `-return`, and whose version is the number of the event. The next event is another number.
//! Whoever can write the board's flash can lower the counter: on a real board it lies with the boot stage, or in fuses.

use alloc::format;
use alloc::vec;
use core::fmt;

use coloa_engine::Crypto;
use coloa_image::{MAX_MANIFEST, Manifest, Refusal, Trust, Version, self_test};
use embedded_storage::nor_flash::NorFlash;

use crate::counter::{self, CounterError};
use crate::layout::{FACTORY, RETURN, TAMPERS, TESTAMENT};

/// Bytes that are overwritten at once.
const CHUNK: usize = 256;

/// The board was tampered with and has not returned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tampered {
    /// How often it was, in all.
    pub events: u32,
    /// Why it has not returned.
    pub why: Refusal,
}

impl fmt::Display for Tampered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tampered { events, why } = self;
        let number = Version(*events);
        write!(
            f,
            "this board was tampered with, event {events}: its keys are destroyed. Provision it again, and have a quorum sign \
             its page as version {number} ({why})"
        )
    }
}

/// How often the board was tampered with.
///
/// # Errors
/// [`CounterError::Flash`].
pub fn events<F: NorFlash>(flash: &mut F) -> Result<u32, CounterError> {
    counter::read(flash, &TAMPERS)
}

/// A line tells of tampering: counts it, and destroys the page. The caller wipes its memory and resets.
///
/// # Errors
/// [`CounterError`]: it could not be counted; the page is destroyed all the same, as far as the flash does it.
pub fn strike<F: NorFlash>(flash: &mut F) -> Result<(), CounterError> {
    let counted = events(flash).and_then(|number| counter::raise(flash, &TAMPERS, number.saturating_add(1)));
    destroy(flash);
    counted.map(|_| ())
}

/// Whether the board may run: it was never tampered with, or a quorum has allowed its page since. Else the page is destroyed.
///
/// # Errors
/// [`Tampered`]: nothing may run.
pub fn returned<F: NorFlash, C: Crypto>(flash: &mut F, crypto: &C, body: &str) -> Result<(), Tampered> {
    // A counter that cannot be read may hold an event.
    let events = events(flash).unwrap_or(u32::MAX);
    if events == 0 {
        return Ok(());
    }
    allowed(flash, crypto, body, events).map_err(|why| {
        destroy(flash);
        Tampered { events, why }
    })
}

fn allowed<F: NorFlash, C: Crypto>(flash: &mut F, crypto: &C, body: &str, events: u32) -> Result<(), Refusal> {
    self_test(crypto)?;
    let trust = testament(flash)?;
    let mut bytes = vec![0; MAX_MANIFEST];
    flash.read(RETURN.start, &mut bytes).map_err(|_| Refusal::Missing)?;
    let (manifest, _) = Manifest::split(&bytes)?;
    let found = trust.verify(crypto, &manifest)?;
    // Not of an earlier event; and a later one has not happened.
    found.admits(&format!("{body}-return"), Version(events))?;
    if found.statement().version != Version(events) {
        return Err(Refusal::Malformed);
    }
    let mut page = zeroize::Zeroizing::new(vec![0; FACTORY.len()]);
    flash.read(FACTORY.start, &mut page).map_err(|_| Refusal::Missing)?;
    found.holds(crypto, &page)
}

/// The custodians of the board, as manufacture wrote them beside the page.
fn testament<F: NorFlash>(flash: &mut F) -> Result<Trust, Refusal> {
    let mut bytes = vec![0; TESTAMENT.len()];
    flash.read(TESTAMENT.start, &mut bytes).map_err(|_| Refusal::Trust)?;
    let (length, rest) = bytes.split_first_chunk().ok_or(Refusal::Trust)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| Refusal::Trust)?;
    Trust::parse(rest.get(..length).ok_or(Refusal::Trust)?)
}

/// What manufacture writes at [`TESTAMENT`].
pub fn testament_bytes(trust: &Trust) -> alloc::vec::Vec<u8> {
    let trust = trust.to_bytes();
    let length = u32::try_from(trust.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], &trust].concat()
}

/// Clears every bit of the page. What fails in one place does not save the next.
fn destroy<F: NorFlash>(flash: &mut F) {
    for at in FACTORY.step_by(CHUNK) {
        let _ = flash.write(at, &[0; CHUNK]);
    }
}
