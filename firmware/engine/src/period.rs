//! The crypto-period of a key (R11, R12): `CKA_START_DATE` and `CKA_END_DATE`, which a strict partition enforces.
//!
//! PKCS#11 itself gives the dates no meaning (§4.7), so a compatible partition only keeps them. Days are UTC's. A body
//! without a real clock lives in 1970: there a start date keeps a key from use and an end date never comes.

use crate::Timestamp;
use crate::object::Object;
use alloc::format;
use alloc::vec::Vec;
use coloa_wire::AttributeType as A;

pub(crate) const MS_A_DAY: u64 = 86_400_000;

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

/// A moment as `YYYYMMDDhhmmss` in UTC.
pub(crate) fn text(now: Timestamp) -> Vec<u8> {
    let (year, month, date) = civil(now.0 / MS_A_DAY);
    let seconds = now.0 % MS_A_DAY / 1000;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("{year:04}{month:02}{date:02}{hours:02}{minutes:02}{:02}", seconds % 60).into_bytes()
}

/// Milliseconds since 1970-01-01 of such a text.
pub(crate) fn moment(text: &[u8]) -> Option<u64> {
    let (date, time) = text.split_at_checked(8)?;
    let part = |at: usize| {
        let digits = time.get(at..at.checked_add(2)?).filter(|d| d.iter().all(u8::is_ascii_digit))?;
        core::str::from_utf8(digits).ok()?.parse::<u64>().ok()
    };
    let (hours, minutes, seconds) = (part(0)?, part(2)?, part(4)?);
    let seconds = hours.saturating_mul(3600).saturating_add(minutes.saturating_mul(60)).saturating_add(seconds);
    Some(day(date)?.saturating_mul(MS_A_DAY).saturating_add(seconds.saturating_mul(1000)))
}

/// Year, month and day of a day counted from 1970-01-01 (Howard Hinnant, as above).
fn civil(days: u64) -> (u64, u64, u64) {
    let day = days.saturating_add(719_468);
    let (era, in_era) = (day / 146_097, day % 146_097);
    let leaps = (in_era / 1460).saturating_sub(in_era / 36_524).saturating_add(in_era / 146_096);
    let year_of_era = in_era.saturating_sub(leaps) / 365;
    let before = year_of_era.saturating_mul(365).saturating_add(year_of_era / 4).saturating_sub(year_of_era / 100);
    let in_year = in_era.saturating_sub(before);
    let shifted = in_year.saturating_mul(5).saturating_add(2) / 153;
    let date = in_year.saturating_sub(shifted.saturating_mul(153).saturating_add(2) / 5).saturating_add(1);
    let month = if shifted < 10 { shifted.saturating_add(3) } else { shifted.saturating_sub(9) };
    let year = year_of_era.saturating_add(era.saturating_mul(400)).saturating_add(u64::from(month <= 2));
    (year, month, date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_what_its_text_says() {
        assert_eq!(text(Timestamp(1_700_000_000_000)), b"20231114221320");
        for day in (0..80_000).step_by(97) {
            let at = day * MS_A_DAY + 86_399_000;
            assert_eq!(moment(&text(Timestamp(at))), Some(at), "day {day}");
        }
        assert_eq!(moment(b"2023111422132"), None);
        assert_eq!(moment(b"20230229000000"), None);
    }

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
