//! The crypto-period of a key (R11, R12): `CKA_START_DATE` and `CKA_END_DATE`, which a strict partition enforces.
//!
//! PKCS#11 itself gives the dates no meaning (§4.7), so a compatible partition only keeps them. Days are UTC's. A body
//! without a real clock lives in 1970: there a start date keeps a key from use and an end date never comes.

use crate::Timestamp;
use crate::object::Object;
use coloa_wire::AttributeType as A;

const MS_A_DAY: u64 = 86_400_000;

/// Days since 1970-01-01 of a `CK_DATE` (`YYYYMMDD`); `None` when there is no such day.
pub(crate) fn day(date: &[u8]) -> Option<u64> {
    let number = |digits: &[u8]| {
        core::str::from_utf8(digits).ok().filter(|_| digits.iter().all(u8::is_ascii_digit))?.parse().ok()
    };
    let (year, rest) = date.split_at_checked(4)?;
    let (month, day) = rest.split_at_checked(2)?;
    let (year, month, day): (u64, u64, u64) = (number(year)?, number(month)?, number(day).filter(|_| day.len() == 2)?);
    let leap = (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    let length = match month {
        2 => 28_u64.saturating_add(u64::from(leap)),
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return None,
    };
    ((1970..=9999).contains(&year) && (1..=length).contains(&day)).then(|| days_to(year, month, day))
}

/// Days from 1970-01-01 to a day (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn days_to(year: u64, month: u64, day: u64) -> u64 {
    const TO_1970: u64 = 719_469;
    let (year, month) =
        if month > 2 { (year, month.saturating_sub(3)) } else { (year.saturating_sub(1), month.saturating_add(9)) };
    let leaps = (year / 4).saturating_sub(year / 100).saturating_add(year / 400);
    let in_year = month.saturating_mul(153).saturating_add(2) / 5;
    year.saturating_mul(365).saturating_add(leaps).saturating_add(in_year).saturating_add(day).saturating_sub(TO_1970)
}

/// Whether a date may be stored: none, or a day there is.
pub(crate) fn is_valid(date: &[u8]) -> bool {
    date.is_empty() || day(date).is_some()
}

/// Before its start a key does nothing; after its end it only decrypts, unwraps and verifies.
pub(crate) fn permits<K>(object: &Object<K>, now: Timestamp, permission: A) -> bool {
    let today = now.0 / MS_A_DAY;
    let date = |kind| object.bytes(kind).filter(|d| !d.is_empty()).map(day);
    let begun = date(A::START_DATE).is_none_or(|start| start.is_some_and(|day| day <= today));
    let over = date(A::END_DATE).is_some_and(|end| end.is_none_or(|day| day < today));
    begun && (!over || matches!(permission, A::DECRYPT | A::VERIFY | A::UNWRAP | A::DECAPSULATE))
}

/// Whether a key's end may be moved from one date to another: once set, only nearer.
pub(crate) fn may_end(old: &[u8], new: &[u8]) -> bool {
    old.is_empty() || (day(new).is_some() && day(new) <= day(old))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_as_the_calendar_does() {
        assert_eq!(day(b"19700101"), Some(0));
        assert_eq!(day(b"20000229"), Some(11_016));
        assert_eq!(day(b"20000301"), Some(11_017));
        assert_eq!(day(b"20231114"), Some(19_675));
        assert_eq!(day(b"21000228").zip(day(b"21000301")).map(|(a, b)| b - a), Some(1));
        for wrong in [&b""[..], b"2023", b"20230229", b"20231301", b"20230431", b"20230100", b"+0230101", b"202301011"]
        {
            assert_eq!(day(wrong), None, "{wrong:?}");
        }
    }
}
