//! Of which organ a certificate says its holder is: its subject's organization (O), which the authority grants. Which court or
//! committee it is stands in the unit (OU), and decides nothing.

use coloa_link::Organ;
use rustls_pki_types::CertificateDer;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
/// id-at-organizationName (RFC 5280 appendix A.1).
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];

/// The organ that a certificate names; nothing when its subject has no organization, several, or another name.
pub fn of(certificate: &CertificateDer<'_>) -> Option<Organ> {
    let parsed = webpki::EndEntityCert::try_from(certificate).ok()?;
    organization(parsed.subject()).and_then(Organ::named)
}

/// The one organization of a subject, given as the content of its sequence.
fn organization(subject: &[u8]) -> Option<&str> {
    let mut found = None;
    let mut names = subject;
    while !names.is_empty() {
        let (mut set, rest) = element(names, SET)?;
        names = rest;
        while !set.is_empty() {
            let (attribute, rest) = element(set, SEQUENCE)?;
            set = rest;
            let (kind, value) = element(attribute, OBJECT_IDENTIFIER)?;
            if kind == ORGANIZATION && found.replace(text(value)?).is_some() {
                return None;
            }
        }
    }
    found
}

fn text(value: &[u8]) -> Option<&str> {
    let (octets, rest) = element(value, UTF8_STRING).or_else(|| element(value, PRINTABLE_STRING))?;
    if rest.is_empty() { std::str::from_utf8(octets).ok() } else { None }
}

/// The content of the first element, which must have this tag, and what follows it (X.690 §8.1, §10.1).
fn element(octets: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, length], rest) = octets.split_first_chunk::<2>()?;
    let (length, rest) = match length {
        short @ 0..=0x7f => (usize::from(short), rest),
        0x81 => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
        0x82 => rest.split_first_chunk().map(|(length, rest)| (usize::from(u16::from_be_bytes(*length)), rest))?,
        _ => return None,
    };
    (found == tag).then(|| rest.split_at_checked(length)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u8, value: &str) -> Vec<u8> {
        let string = [&[UTF8_STRING, value.len() as u8], value.as_bytes()].concat();
        let attribute = [&[OBJECT_IDENTIFIER, 3, 0x55, 0x04, kind], &string[..]].concat();
        let sequence = [&[SEQUENCE, attribute.len() as u8], &attribute[..]].concat();
        [&[SET, sequence.len() as u8], &sequence[..]].concat()
    }

    #[test]
    fn the_organization_is_found_among_the_names_and_only_if_there_is_one() {
        let (name, court) = (attribute(3, "device"), attribute(10, "Tòa án nhân dân"));
        let subject = [&name[..], &court].concat();
        assert_eq!(organization(&subject).and_then(Organ::named), Some(Organ::Court));
        assert_eq!(organization(&name), None);
        let twice = [&subject[..], &attribute(10, "party")].concat();
        assert_eq!(organization(&twice), None, "which of them would count?");
    }

    #[test]
    fn what_is_cut_says_nothing() {
        let subject = [attribute(3, "device"), attribute(10, "court")].concat();
        for length in 0..subject.len() {
            assert_eq!(organization(&subject[..length]), None, "{length}");
        }
        assert_eq!(organization(&[SET, 0x83, 0, 0, 1]), None);
    }

    #[test]
    fn a_certificate_is_read() {
        let mut params = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name.push(rcgen::DnType::OrganizationName, Organ::Procuracy.title());
        params.distinguished_name.push(rcgen::DnType::OrganizationalUnitName, "court");
        let key = rcgen::KeyPair::generate().expect("key");
        let certificate = params.self_signed(&key).expect("certificate");
        assert_eq!(of(certificate.der()), Some(Organ::Procuracy));
    }
}
