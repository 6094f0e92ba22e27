//! The boot stage's decision: which image runs (R23), made before one instruction of it is.
//!
//! Both slots are read. Of the images that a quorum of the factory page's custodians has signed, that are for this board and
//! no older than the counter allows, the newest whose bytes are as signed is taken. It is measured where it will run, after
//! it was copied there, so that nobody changes it in between. Before it runs the counter rises to what its manifest says; from
//! then on nothing below that runs, whatever lies in the slots. An update that was cut off leaves the other slot, and the
//! board runs that.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use coloa_engine::Crypto;
use coloa_image::{MAX_MANIFEST, Manifest, Refusal, Trust, Verified, Version, self_test};
use embedded_storage::nor_flash::NorFlash;

use crate::counter::{self, CounterError};
use crate::layout::{IMAGE, LOWEST, SLOTS};

/// What runs now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chosen {
    /// Which of [`SLOTS`].
    pub slot: usize,
    /// Its version.
    pub version: Version,
    /// Bytes at the start of the memory.
    pub length: usize,
    /// The lowest version that may run from now on.
    pub lowest: Version,
}

/// Why nothing runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Halt {
    /// The lowest version cannot be read, or not be raised to what this image asks.
    Counter(CounterError),
    /// Signatures are not checked rightly here (R6).
    Untested(Refusal),
    /// No slot has an image that may run; why not, for each.
    Refused([Refusal; 2]),
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Counter(why) => write!(f, "the lowest version cannot be read or raised ({why:?}): replace the board"),
            Self::Untested(why) => why.fmt(f),
            Self::Refused([a, b]) => write!(f, "slot A: {a}; slot B: {b}"),
        }
    }
}

/// Chooses an image, copies it to the start of `memory`, and clears the rest.
///
/// # Errors
/// [`Halt`]: nothing is left in `memory`.
pub fn select<F: NorFlash, C: Crypto>(
    flash: &mut F,
    crypto: &C,
    trust: &Trust,
    body: &str,
    memory: &mut [u8],
) -> Result<Chosen, Halt> {
    let chosen = newest(flash, crypto, trust, body, memory);
    if chosen.is_err() {
        memory.fill(0);
    }
    chosen
}

fn newest<F: NorFlash, C: Crypto>(
    flash: &mut F,
    crypto: &C,
    trust: &Trust,
    body: &str,
    memory: &mut [u8],
) -> Result<Chosen, Halt> {
    self_test(crypto).map_err(Halt::Untested)?;
    let lowest = Version(counter::read(flash, &LOWEST).map_err(Halt::Counter)?);
    let mut refused = [Refusal::Missing, Refusal::Missing];
    let mut candidates = Vec::new();
    for (slot, why) in refused.iter_mut().enumerate() {
        match admitted(flash, crypto, trust, slot).and_then(|found| found.admits(body, lowest).map(|()| found)) {
            Ok(found) => candidates.push((slot, found)),
            Err(refusal) => *why = refusal,
        }
    }
    candidates.sort_by_key(|(slot, found)| (core::cmp::Reverse(found.statement().version), *slot));
    for (slot, found) in candidates {
        match load(flash, crypto, slot, &found, memory) {
            Ok(length) => {
                let raised = counter::raise(flash, &LOWEST, found.statement().lowest.0).map_err(Halt::Counter)?;
                return Ok(Chosen { slot, version: found.statement().version, length, lowest: Version(raised) });
            }
            Err(refusal) => {
                if let Some(why) = refused.get_mut(slot) {
                    *why = refusal;
                }
            }
        }
    }
    Err(Halt::Refused(refused))
}

/// The manifest of a slot, if a quorum has signed it.
fn admitted<F: NorFlash, C: Crypto>(
    flash: &mut F,
    crypto: &C,
    trust: &Trust,
    slot: usize,
) -> Result<Verified, Refusal> {
    let start = SLOTS.get(slot).ok_or(Refusal::Missing)?.start;
    let mut bytes = vec![0; MAX_MANIFEST];
    flash.read(start, &mut bytes).map_err(|_| Refusal::Missing)?;
    let (manifest, _) = Manifest::split(&bytes)?;
    trust.verify(crypto, &manifest)
}

fn load<F: NorFlash, C: Crypto>(
    flash: &mut F,
    crypto: &C,
    slot: usize,
    found: &Verified,
    memory: &mut [u8],
) -> Result<usize, Refusal> {
    let place = SLOTS.get(slot).ok_or(Refusal::Missing)?;
    let room = place.end.saturating_sub(place.start).saturating_sub(IMAGE);
    let length = u32::try_from(found.statement().length).ok().filter(|length| *length <= room);
    let length = length.and_then(|length| usize::try_from(length).ok()).ok_or(Refusal::Digest)?;
    let (image, rest) = memory.split_at_mut_checked(length).ok_or(Refusal::Digest)?;
    flash.read(place.start.saturating_add(IMAGE), image).map_err(|_| Refusal::Digest)?;
    found.holds(crypto, image)?;
    rest.fill(0);
    Ok(length)
}
