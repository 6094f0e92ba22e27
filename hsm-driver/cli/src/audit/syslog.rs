//! A record as a syslog message (RFC 5424), framed by its length (RFC 5425 §4.3).

use super::told::{action, result};
use crate::screen::hex;
use coloa_crypto_native::Native;
use coloa_engine::audit::{AuditRecord, verify_chain};
use time::OffsetDateTime;

/// Log audit (RFC 5424 §6.2.1).
const FACILITY: u8 = 13;
/// Of what was done, and of what was refused.
const INFORMATIONAL: u8 = 6;
const WARNING: u8 = 4;
/// Longest MSGID and HOSTNAME (RFC 5424 §6).
const MAX_MSGID: usize = 32;

/// What is the same in every message of a device.
pub struct Origin {
    /// The device's serial number: there may be several behind one address.
    pub serial: String,
    /// Private enterprise number in the name of the structured data (RFC 5424 §7.2.2).
    pub enterprise: u32,
}

impl Origin {
    /// The frame of a record; `bytes` is its encoding, which goes along whole, so that the chain can be checked there too.
    pub fn frame(&self, record: &AuditRecord, bytes: &[u8]) -> Vec<u8> {
        let message = self.message(record, bytes);
        let mut frame = format!("{} ", message.len()).into_bytes();
        frame.extend(message.into_bytes());
        frame
    }

    fn message(&self, record: &AuditRecord, bytes: &[u8]) -> String {
        let event = &record.event;
        let severity = if event.result == 0 { INFORMATIONAL } else { WARNING };
        let (does, ended) = (action(event.action), result(event.result));
        let id: String = does.chars().filter(char::is_ascii_graphic).take(MAX_MSGID).collect();
        let host = if self.serial.is_empty() { "-" } else { &self.serial };
        let priority = u32::from(FACILITY) * 8 + u32::from(severity);
        let head = format!("<{priority}>1 {} {host} coloa - {id}", timestamp(record.time));
        let data = self.data(record, bytes, (&does, &ended));
        // The byte order mark says that it is UTF-8 (RFC 5424 §6.4).
        format!("{head} {data} \u{feff}{}", plain(&format!("{}: {does} {ended}", event.who)))
    }

    fn data(&self, record: &AuditRecord, bytes: &[u8], (does, ended): (&str, &str)) -> String {
        let event = &record.event;
        let digest = verify_chain(&Native::new(), std::slice::from_ref(&bytes.to_vec())).unwrap_or_default();
        let mut pairs = vec![
            ("number", record.number.to_string()),
            ("who", event.who.clone()),
            ("action", does.to_owned()),
            ("result", ended.to_owned()),
            ("code", event.result.to_string()),
            ("count", event.count.to_string()),
        ];
        pairs.extend(event.identity.map(|id| ("identity", id.to_string())));
        pairs.extend(event.partition.map(|id| ("partition", id.to_string())));
        pairs.extend(event.object.map(|id| ("object", id.to_string())));
        pairs.extend(event.mechanism.map(|kind| ("mechanism", format!("{:#x}", kind.0))));
        pairs.extend(event.detail.clone().map(|detail| ("detail", detail)));
        pairs.push(("previous", hex(&record.previous)));
        pairs.push(("digest", hex(&digest)));
        pairs.push(("record", data_encoding::BASE64.encode(bytes)));
        let written: String = pairs.iter().map(|(name, value)| format!(" {name}=\"{}\"", escaped(value))).collect();
        format!("[coloa@{}{written}]", self.enterprise)
    }
}

/// PARAM-VALUE (RFC 5424 §6.3.3). A control character would break lines where somebody reads the log; the record has it whole.
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in plain(value).chars() {
        if matches!(c, '"' | '\\' | ']') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// TIMESTAMP (RFC 5424 §6.2.3), in UTC.
fn timestamp(millis: u64) -> String {
    let at = i64::try_from(millis / 1000).ok().and_then(|s| OffsetDateTime::from_unix_timestamp(s).ok());
    at.map_or_else(
        || "-".into(),
        |t| {
            let (date, ms) = (t.date(), millis % 1000);
            format!("{date}T{:02}:{:02}:{:02}.{ms:03}Z", t.hour(), t.minute(), t.second())
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use coloa_engine::audit::AuditEvent;

    #[test]
    fn a_name_ends_no_value_and_no_line() {
        let event = AuditEvent {
            who: "An\"]\\\n<1>".into(),
            action: 0x0140,
            result: 20,
            partition: None,
            object: None,
            mechanism: None,
            count: 1,
            identity: None,
            detail: None,
        };
        let record = AuditRecord { number: 7, previous: [0; 32], time: 1_700_000_000_123, event };
        let origin = Origin { serial: "62efb979".into(), enterprise: 32473 };
        let frame = String::from_utf8(origin.frame(&record, b"\x01")).unwrap();
        let (length, message) = frame.split_once(' ').unwrap();
        assert_eq!(length.parse(), Ok(message.len()));
        let begins =
            "<108>1 2023-11-14T22:13:20.123Z 62efb979 coloa - DeviceCertificates [coloa@32473 number=\"7\" who=\"";
        assert!(message.starts_with(begins), "{message}");
        assert!(message.contains("who=\"An\\\"\\]\\\\\u{fffd}<1>\" action"), "{message}");
        assert!(!message.contains('\n') && message.contains(" record=\"AQ==\"] \u{feff}An"), "{message}");
    }
}
