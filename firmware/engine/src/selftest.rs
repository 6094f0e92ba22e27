//! Power-on self-tests (R5): one known answer for each algorithm family that the provider has, before any service
//! (FIPS 140-3 IG 10.3.A). Each also shows that what must be refused is.

mod cipher;
mod curve;
mod hash;
mod lattice;
mod rsa;

use crate::{Crypto, Feature, Image};

/// What a test needs, the algorithm's name, and the test: `None` when the provider refused what it must do.
type Test<C> = (Feature, &'static str, fn(&C) -> Option<bool>);

/// Runs every test of what the provider has; the name of the first algorithm whose answer is wrong is the error.
pub(crate) fn run<C: Crypto>(crypto: &C) -> Result<(), &'static str> {
    let all = [hash::tests(), cipher::tests(), curve::tests(), rsa::tests(), lattice::tests()];
    let mut due = all.into_iter().flatten().filter(|(needs, ..)| crypto.supports(*needs));
    due.find(|(.., test)| test(crypto) != Some(true)).map_or(Ok(()), |(_, name, _)| Err(*name))
}

/// The image is the one that was installed, where that was recorded. The hash that measured it is known to be right by now
/// (FIPS 140-3 IG 10.2.A).
pub(crate) fn image(image: Option<&Image>) -> Result<(), &'static str> {
    let differs = |image: &&Image| image.recorded.is_some_and(|recorded| recorded != image.digest);
    image.filter(differs).map_or(Ok(()), |_| Err("the firmware image"))
}

/// Bytes from hexadecimal digits, at compile time only.
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "it runs at compile time")]
const fn hex<const N: usize>(digits: &str) -> [u8; N] {
    const fn nibble(digit: u8) -> u8 {
        if digit >= b'a' { digit - b'a' + 10 } else { digit - b'0' }
    }
    let digits = digits.as_bytes();
    let mut out = [0; N];
    let mut i = 0;
    while i < N {
        out[i] = (nibble(digits[2 * i]) << 4) | nibble(digits[2 * i + 1]);
        i += 1;
    }
    out
}
