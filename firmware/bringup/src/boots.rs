//! A counter of boots on NOR flash: no two boots ever see the same number, whenever the power goes. A boot that cannot write its
//! number fails instead of repeating one.

use embedded_storage::nor_flash::NorFlash;

use crate::counter::{self, CounterError};
use crate::layout::BOOTS;

/// Counts this boot and returns its number, from 1.
///
/// # Errors
/// See [`CounterError`]: this boot must not go on.
pub fn count<F: NorFlash>(flash: &mut F) -> Result<u32, CounterError> {
    let number = counter::read(flash, &BOOTS)?.checked_add(1).ok_or(CounterError::Exhausted)?;
    counter::raise(flash, &BOOTS, number)
}
