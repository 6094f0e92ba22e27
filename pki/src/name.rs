//! Names that a certificate may carry: a subject of known fields, and DNS names and addresses beside it.
//!
//! A name is read into these types and encoded anew, never copied. Letters are those of ASCII and of Vietnamese, in their
//! precomposed form: no letter of another alphabet can pass for one of these.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use der::asn1::{Any, ObjectIdentifier as Oid, PrintableStringRef, Utf8StringRef};
use der::{Encode, Tag};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::name::{RdnSequence, RelativeDistinguishedName};
use x509_parser::extensions::GeneralName;

use crate::{Error, Result};

/// ub-common-name, ub-organization-name and their like (RFC 5280 appendix A.1), in characters.
const MAX_VALUE: usize = 64;
/// RFC 1035 §2.3.4.
const MAX_DNS_NAME: usize = 253;
/// RFC 1035 §2.3.4.
const MAX_DNS_LABEL: usize = 63;

/// A field of a subject, in the order in which it is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Field {
    Country,
    Province,
    Locality,
    Organization,
    Unit,
    CommonName,
    SerialNumber,
}

impl Field {
    const ALL: [Field; 7] = [
        Field::Country,
        Field::Province,
        Field::Locality,
        Field::Organization,
        Field::Unit,
        Field::CommonName,
        Field::SerialNumber,
    ];

    /// Short name, as in `CN=`.
    pub fn short(self) -> &'static str {
        match self {
            Field::Country => "C",
            Field::Province => "ST",
            Field::Locality => "L",
            Field::Organization => "O",
            Field::Unit => "OU",
            Field::CommonName => "CN",
            Field::SerialNumber => "serialNumber",
        }
    }

    /// RFC 4519 and RFC 5280 appendix A.1.
    fn oid(self) -> Oid {
        match self {
            Field::Country => Oid::new_unwrap("2.5.4.6"),
            Field::Province => Oid::new_unwrap("2.5.4.8"),
            Field::Locality => Oid::new_unwrap("2.5.4.7"),
            Field::Organization => Oid::new_unwrap("2.5.4.10"),
            Field::Unit => Oid::new_unwrap("2.5.4.11"),
            Field::CommonName => Oid::new_unwrap("2.5.4.3"),
            Field::SerialNumber => Oid::new_unwrap("2.5.4.5"),
        }
    }

    fn of_oid_bytes(bytes: &[u8]) -> Option<Field> {
        Field::ALL.into_iter().find(|f| f.oid().as_bytes() == bytes)
    }

    /// PrintableString where RFC 5280 demands it, UTF8String elsewhere.
    fn is_printable(self) -> bool {
        matches!(self, Field::Country | Field::SerialNumber)
    }

    fn accept(self, value: &str) -> Result<()> {
        let refuse = || Error::NameRefused { field: self.short().into(), value: shown(value) };
        let fits = match self {
            Field::Country => value.len() == 2 && value.bytes().all(|b| b.is_ascii_uppercase()),
            Field::SerialNumber => {
                (1..=MAX_VALUE).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            }
            _ => is_text(value),
        };
        fits.then_some(()).ok_or_else(refuse)
    }
}

/// A subject name: each field at most once, sorted, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject(Vec<(Field, String)>);

impl Subject {
    fn new(mut fields: Vec<(Field, String)>) -> Result<Subject> {
        fields.sort_by_key(|(field, _)| *field);
        for (field, value) in &fields {
            field.accept(value)?;
        }
        let twice = fields.windows(2).find(|pair| matches!(pair, [a, b] if a.0 == b.0));
        if let Some([(field, _), _]) = twice {
            return Err(Error::NameRepeated { field: field.short().into() });
        }
        match fields.is_empty() {
            true => Err(Error::NameEmpty),
            false => Ok(Subject(fields)),
        }
    }

    /// Reads a name out of a request or certificate; a field that is not known, or several in one RDN, is refused.
    pub fn from_parsed(name: &x509_parser::x509::X509Name<'_>) -> Result<Subject> {
        let mut fields = Vec::new();
        for rdn in name.iter_rdn() {
            let mut attributes = rdn.iter();
            let (Some(one), None) = (attributes.next(), attributes.next()) else {
                return Err(Error::NameRefused { field: "RDN".into(), value: "multi-valued".into() });
            };
            let unknown = || Error::NameRefused { field: one.attr_type().to_id_string(), value: "…".into() };
            let field = Field::of_oid_bytes(one.attr_type().as_bytes()).ok_or_else(unknown)?;
            let value = one.as_str().map_err(|_| unknown())?;
            fields.push((field, value.to_owned()));
        }
        Subject::new(fields)
    }

    /// The fields present.
    pub fn fields(&self) -> impl Iterator<Item = Field> + '_ {
        self.0.iter().map(|(field, _)| *field)
    }

    /// DER Name.
    pub fn to_der(&self) -> Result<Vec<u8>> {
        let mut sequence = RdnSequence::default();
        for (field, value) in &self.0 {
            let value = match field.is_printable() {
                true => Any::encode_from(&PrintableStringRef::new(value)?)?,
                false => Any::encode_from(&Utf8StringRef::new(value)?)?,
            };
            let mut rdn = RelativeDistinguishedName::default();
            rdn.insert(AttributeTypeAndValue { oid: field.oid(), value })?;
            sequence.push(rdn);
        }
        Ok(sequence.to_der()?)
    }
}

impl fmt::Display for Subject {
    /// `CN=…, OU=…, O=…, C=…`: the narrowest first, as people write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (field, value)) in self.0.iter().rev().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            write!(f, "{comma}{}={}", field.short(), value.replace(',', "\\,"))?;
        }
        Ok(())
    }
}

impl FromStr for Subject {
    type Err = Error;

    /// `CN=name,O=organ,C=VN`, in any order; a comma inside a value is written `\,`.
    fn from_str(text: &str) -> Result<Subject> {
        let mut fields = Vec::new();
        for part in split_unescaped(text) {
            let refuse = || Error::NameRefused { field: "subject".into(), value: shown(&part) };
            let (key, value) = part.split_once('=').ok_or_else(refuse)?;
            let key = key.trim();
            let field = Field::ALL.into_iter().find(|f| f.short().eq_ignore_ascii_case(key)).ok_or_else(refuse)?;
            fields.push((field, value.trim().to_owned()));
        }
        Subject::new(fields)
    }
}

fn split_unescaped(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for c in text.chars() {
        match c {
            '\\' if !escaped => escaped = true,
            ',' if !escaped => parts.push(String::new()),
            c => {
                escaped = false;
                if let Some(last) = parts.last_mut() {
                    last.push(c);
                }
            }
        }
    }
    parts
}

fn is_text(value: &str) -> bool {
    let trimmed = !value.starts_with(' ') && !value.ends_with(' ') && !value.contains("  ");
    trimmed && (1..=MAX_VALUE).contains(&value.chars().count()) && value.chars().all(is_text_char)
}

/// Vietnamese letters beside those of ASCII: Latin-1's, Ă Đ Ĩ Ũ Ơ Ư with their small ones, and U+1EA0 to U+1EF9. No other
/// Latin letter: Ð and Ɖ look like Đ.
fn is_vietnamese(c: char) -> bool {
    matches!(c, '\u{1ea0}'..='\u{1ef9}') || "ÀÁÂÃÈÉÊÌÍÒÓÔÕÙÚÝàáâãèéêìíòóôõùúýĂăĐđĨĩŨũƠơƯư".contains(c)
}

/// Letters, digits and a little punctuation.
fn is_text_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || is_vietnamese(c) || " -_.,:/()&@'".contains(c)
}

/// What an outsider sent, cut and made harmless for a terminal.
fn shown(value: &str) -> String {
    value.chars().take(MAX_VALUE).flat_map(char::escape_default).collect()
}

/// A name beside the subject (subjectAltName).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AltName {
    /// A host name in lower case, without wildcard.
    Dns(String),
    /// An address.
    Ip(IpAddr),
}

impl AltName {
    /// Reads a GeneralName; kinds other than DNS name and address are refused.
    pub fn from_parsed(name: &GeneralName<'_>) -> Result<AltName> {
        let refuse = |value: &str| Error::NameRefused { field: "subjectAltName".into(), value: shown(value) };
        match name {
            GeneralName::DNSName(name) => AltName::dns(name),
            GeneralName::IPAddress(bytes) => {
                let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
                let v6 = <[u8; 16]>::try_from(*bytes).map(IpAddr::from);
                v4.or(v6).map(AltName::Ip).map_err(|_| refuse("address"))
            }
            GeneralName::RFC822Name(name) | GeneralName::URI(name) => Err(refuse(name)),
            _ => Err(refuse("…")),
        }
    }

    /// A host name (RFC 5280 §4.2.1.6, preferred name syntax).
    pub fn dns(name: &str) -> Result<AltName> {
        let lower = name.to_ascii_lowercase();
        // Ends in digits: an address to whoever reads it (RFC 1123 §2.1), and addresses have a kind of their own.
        let numeric = lower.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
        match lower.len() <= MAX_DNS_NAME && !numeric && lower.split('.').all(is_dns_label) {
            true => Ok(AltName::Dns(lower)),
            false => Err(Error::NameRefused { field: "DNS".into(), value: shown(name) }),
        }
    }

    /// The GeneralName, context-tagged.
    pub fn to_any(&self) -> Result<Any> {
        let tag = |number, bytes: &[u8]| {
            Any::new(Tag::ContextSpecific { constructed: false, number: der::TagNumber(number) }, bytes)
        };
        Ok(match self {
            AltName::Dns(name) => tag(2, name.as_bytes())?,
            AltName::Ip(IpAddr::V4(v4)) => tag(7, &v4.octets())?,
            AltName::Ip(IpAddr::V6(v6)) => tag(7, &v6.octets())?,
        })
    }
}

impl fmt::Display for AltName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AltName::Dns(name) => write!(f, "DNS:{name}"),
            AltName::Ip(address) => write!(f, "IP:{address}"),
        }
    }
}

fn is_dns_label(label: &str) -> bool {
    let ldh = label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    ldh && (1..=MAX_DNS_LABEL).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_sorted_whatever_the_order_it_was_written_in() {
        let a: Subject = "CN=Trạm mã số 1,O=Cục Cơ yếu,C=VN".parse().unwrap();
        let b: Subject = "C=VN, O=Cục Cơ yếu, CN=Trạm mã số 1".parse().unwrap();
        assert_eq!(a, b);
        assert_eq!(a.to_string(), "CN=Trạm mã số 1, O=Cục Cơ yếu, C=VN");
        assert_eq!(a.to_string().parse::<Subject>().unwrap(), a);
    }

    #[test]
    fn lookalikes_controls_and_lengths_are_refused() {
        for bad in [
            "CN=a\u{441}b",  // Cyrillic es
            "CN=e\u{301}",   // a combining accent
            "CN=a\u{202e}b", // right-to-left override
            "CN=a\u{0}b",
            "CN= ",
            "CN=",
            "CN=a  b",
            "CN=×",
            "CN=Ðà Nẵng",     // the Icelandic eth, which looks like the Vietnamese Đ
            "CN=Ɖà Nẵng",     // the African D
            "CN=si\u{1c0}e",  // a click that looks like l
            "CN=site\u{131}", // i without its dot
            "C=Vietnam",
            "C=vn",
            "emailAddress=a@b",
            "CN=a,CN=b",
            "",
        ] {
            assert!(bad.parse::<Subject>().is_err(), "{bad:?}");
        }
        assert!(format!("CN={}", "x".repeat(64)).parse::<Subject>().is_ok());
        assert!(format!("CN={}", "x".repeat(65)).parse::<Subject>().is_err());
    }

    #[test]
    fn every_vietnamese_letter_is_permitted() {
        let letters = "aáàảãạăắằẳẵặâấầẩẫậeéèẻẽẹêếềểễệiíìỉĩịoóòỏõọôốồổỗộơớờởỡợuúùủũụưứừửữựyýỳỷỹỵđ";
        for c in letters.chars().flat_map(|c| std::iter::once(c).chain(c.to_uppercase())) {
            assert!(format!("CN={c}").parse::<Subject>().is_ok(), "{c}");
        }
    }

    #[test]
    fn host_names_have_no_wildcard_and_no_odd_labels() {
        assert_eq!(AltName::dns("Hub.Example").unwrap(), AltName::Dns("hub.example".into()));
        assert!(AltName::dns("10.example").is_ok());
        // an address is no host name: a profile that permits no address would else certify one
        for bad in ["10.0.0.1", "1", "*.example", "-a.example", "a..b", "a_b", "", ".", "a b", "hub.example."] {
            assert!(AltName::dns(bad).is_err(), "{bad:?}");
        }
    }
}
