//! Moments in UTC, to the second, as certificates and the journal know them.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use der::DateTime;
use x509_cert::time::Time;

use crate::{Error, Result};

const SECONDS_PER_DAY: u64 = 86_400;

/// A moment, as seconds since 1970 in UTC; never after the year 9999 (RFC 5280 §4.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// Now, by the machine's clock.
    pub fn now() -> Result<Moment> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| Error::Clock)?;
        Moment::from_seconds(since.as_secs())
    }

    /// This many seconds after 1970-01-01.
    pub fn from_seconds(seconds: u64) -> Result<Moment> {
        DateTime::from_unix_duration(Duration::from_secs(seconds)).map_err(|_| Error::Clock)?;
        Ok(Moment(seconds))
    }

    /// From a parsed certificate or CRL; what lies before 1970 is taken as 1970.
    pub fn from_asn1(time: &x509_parser::time::ASN1Time) -> Result<Moment> {
        Moment::from_seconds(u64::try_from(time.timestamp()).unwrap_or(0))
    }

    /// Seconds since 1970.
    pub fn seconds(self) -> u64 {
        self.0
    }

    /// That many days later.
    pub fn plus_days(self, days: u32) -> Result<Moment> {
        let seconds = u64::from(days).checked_mul(SECONDS_PER_DAY).and_then(|s| s.checked_add(self.0));
        Moment::from_seconds(seconds.ok_or(Error::Clock)?)
    }

    /// So much earlier, but not before 1970.
    pub fn minus_seconds(self, seconds: u64) -> Moment {
        Moment(self.0.saturating_sub(seconds))
    }

    /// X.509 Time: UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 §4.1.2.5).
    pub fn x509(self) -> Result<Time> {
        Ok(Time::from(self.date_time().ok_or(Error::Clock)?))
    }

    fn date_time(self) -> Option<DateTime> {
        DateTime::from_unix_duration(Duration::from_secs(self.0)).ok()
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.date_time() {
            Some(date) => date.fmt(f),
            None => write!(f, "@{}", self.0),
        }
    }
}

impl std::str::FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Moment, String> {
        let date: DateTime = text.parse().map_err(|_| "write it as 2026-11-24T07:00:00Z".to_owned())?;
        Ok(Moment(date.unix_duration().as_secs()))
    }
}

impl serde::Serialize for Moment {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Moment {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Moment, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use der::Encode;

    /// RFC 5280 §4.1.2.5: the encoding changes between these two seconds.
    #[test]
    fn the_encoding_changes_with_the_year_2050() {
        let last: Moment = "2049-12-31T23:59:59Z".parse().unwrap();
        assert_eq!(last.x509().unwrap().to_der().unwrap(), b"\x17\x0d491231235959Z");
        let first = Moment::from_seconds(last.seconds() + 1).unwrap();
        assert_eq!(first.x509().unwrap().to_der().unwrap(), b"\x18\x0f20500101000000Z");
    }

    #[test]
    fn the_end_of_time_is_an_error() {
        let late: Moment = "9999-12-31T00:00:00Z".parse().unwrap();
        assert!(late.plus_days(1).is_err());
        assert!(late.plus_days(u32::MAX).is_err());
    }

    #[test]
    fn it_is_written_as_it_is_read() {
        let text = "2026-11-24T07:05:49Z";
        assert_eq!(text.parse::<Moment>().unwrap().to_string(), text);
    }
}
