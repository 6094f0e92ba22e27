//! Versions: three numbers that sort as one.

use core::fmt;
use core::str::FromStr;

/// A minor or patch number is less than this.
const STEP: u32 = 1000;

/// A version such as 1.4.0. Ordered; the number is what is signed and counted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Version(pub u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rest, patch) = (self.0 / STEP, self.0 % STEP);
        write!(f, "{}.{}.{patch}", rest / STEP, rest % STEP)
    }
}

impl FromStr for Version {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('.').map(number);
        let (Some(Some(major)), Some(Some(minor)), Some(Some(patch)), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(());
        };
        if minor >= STEP || patch >= STEP {
            return Err(());
        }
        let whole = major.checked_mul(STEP).and_then(|n| n.checked_add(minor)).and_then(|n| n.checked_mul(STEP));
        whole.and_then(|n| n.checked_add(patch)).map(Version).ok_or(())
    }
}

/// Digits only: `parse` would take a sign.
fn number(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn versions_sort_as_people_read_them() {
        let read = |text: &str| text.parse::<Version>().unwrap();
        assert!(read("0.9.12") < read("0.10.0") && read("0.999.999") < read("1.0.0"));
        for text in ["0.0.0", "1.2.3", "4294.967.295"] {
            assert_eq!(read(text).to_string(), text);
        }
        for text in ["", "1", "1.2", "1.2.3.4", "1.1000.0", "1.-2.3", "+1.2.3", "4295.0.0", "1.2.x", "1..3"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }
}
