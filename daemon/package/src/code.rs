//! The activation code: 80 random bits, printed so that a clerk can type them.

use crate::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Random octets of a code.
pub const CODE_LEN: usize = 10;
/// Crockford's base 32: no I, L, O, U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const DIGITS: usize = 16;

/// A one-time code.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Code([u8; CODE_LEN]);

impl Code {
    /// From a token's generator.
    pub fn new(random: [u8; CODE_LEN]) -> Code {
        Code(random)
    }

    pub(crate) fn octets(&self) -> &[u8] {
        &self.0
    }

    /// As it is printed: four groups of four and the letter that checks them, `7K2M-…-…-…-X`.
    pub fn text(&self) -> String {
        let digits = self.digits();
        let mut text = String::with_capacity(21);
        for group in digits.chunks(4) {
            group.iter().for_each(|d| text.push(letter(*d)));
            text.push('-');
        }
        text.push(letter(check(&digits)));
        text
    }

    fn digits(&self) -> [u8; DIGITS] {
        let mut bits = self.0.iter().fold(0_u128, |all, octet| all << 8 | u128::from(*octet));
        let mut digits = [0; DIGITS];
        for digit in digits.iter_mut().rev() {
            *digit = (bits & 31) as u8;
            bits >>= 5;
        }
        digits
    }

    /// What someone typed: case, blanks and dashes do not matter, O is 0, I and L are 1. A slip is found here and does not count
    /// as a wrong code.
    pub fn parse(text: &str) -> Result<Code, Error> {
        let mut digits = Vec::with_capacity(DIGITS + 1);
        for c in text.chars().filter(|c| !c.is_whitespace() && *c != '-') {
            digits.push(value(c).ok_or(Error::Mistyped)?);
            if digits.len() > DIGITS + 1 {
                return Err(Error::Mistyped);
            }
        }
        match digits.split_last() {
            Some((last, rest)) if rest.len() == DIGITS && check(rest) == *last => {
                let bits = rest.iter().fold(0_u128, |all, digit| all << 5 | u128::from(*digit));
                let mut octets = [0; CODE_LEN];
                octets.iter_mut().zip(bits.to_be_bytes().iter().skip(16 - CODE_LEN)).for_each(|(o, b)| *o = *b);
                Ok(Code(octets))
            }
            _ => Err(Error::Mistyped),
        }
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Code(…)")
    }
}

fn letter(digit: u8) -> char {
    ALPHABET.get(usize::from(digit & 31)).map_or('0', |c| char::from(*c))
}

fn value(c: char) -> Option<u8> {
    let c = match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    ALPHABET.iter().position(|a| char::from(*a) == c).and_then(|p| u8::try_from(p).ok())
}

/// Weights are odd, so that one wrong digit always shows; neighbours have different ones, so that most swaps do.
fn check(digits: &[u8]) -> u8 {
    let weighted = digits.iter().zip((1_u32..).step_by(2)).map(|(d, w)| u32::from(*d) * w);
    (weighted.sum::<u32>() % 32) as u8
}
