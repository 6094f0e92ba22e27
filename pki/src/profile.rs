//! Profiles: the closed description of each certificate this authority issues.
//!
//! A profile names every field. From a request come its public key and the names the profile permits, nothing else:
//! an extension that a request asks for has no way into a certificate.

use der::flagset::FlagSet;
use x509_cert::ext::pkix::KeyUsages;

use crate::name::{AltName, Field, Subject};
use crate::{Error, Result, oid};

/// Which authority issues under a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The root: signs issuing authorities only.
    Root,
    /// An issuing authority: signs end entities only.
    Issuing,
}

/// What kinds of names may stand beside the subject, and how many.
#[derive(Clone, Copy, Debug)]
pub struct AltNames {
    /// Host names are permitted.
    pub dns: bool,
    /// Addresses are permitted.
    pub ip: bool,
    /// At least one must be there.
    pub required: bool,
    /// At most so many.
    pub max: usize,
}

const NO_ALT_NAMES: AltNames = AltNames { dns: false, ip: false, required: false, max: 0 };

/// The closed description of an allowed certificate.
#[derive(Debug)]
pub struct Profile {
    /// As in `--profile`.
    pub name: &'static str,
    /// What it is for, for `coloa-pki profiles`.
    pub purpose: &'static str,
    /// Who issues it.
    pub issued_by: &'static [Role],
    /// A CA with this path length (RFC 5280 §4.2.1.9); `None` is an end entity.
    pub path_len: Option<u8>,
    /// keyUsage, always critical.
    pub key_usage: &'static [KeyUsages],
    /// extendedKeyUsage; critical where `extended_critical`.
    pub extended: &'static [oid::Content],
    /// A relying party that does not know the purpose must refuse the certificate.
    pub extended_critical: bool,
    /// Days when none are asked for.
    pub default_days: u32,
    /// Days that may be asked for.
    pub max_days: u32,
    /// Subject fields that may be there; CN must.
    pub permitted: &'static [Field],
    /// Names beside the subject.
    pub alt_names: AltNames,
}

const ORGAN: &[Field] =
    &[Field::Country, Field::Province, Field::Locality, Field::Organization, Field::Unit, Field::CommonName];
const ORGAN_AND_SERIAL: &[Field] = &[
    Field::Country,
    Field::Province,
    Field::Locality,
    Field::Organization,
    Field::Unit,
    Field::CommonName,
    Field::SerialNumber,
];

/// The root's own certificate.
pub static ROOT: Profile = Profile {
    name: "root-ca",
    purpose: "root certification authority, signed by itself",
    issued_by: &[],
    path_len: Some(1),
    key_usage: &[KeyUsages::KeyCertSign, KeyUsages::CRLSign],
    extended: &[],
    extended_critical: false,
    default_days: 7305,
    max_days: 10958,
    permitted: ORGAN,
    alt_names: NO_ALT_NAMES,
};

/// An issuing authority under the root.
pub static ISSUING: Profile = Profile {
    name: "issuing-ca",
    purpose: "issuing authority under a root",
    issued_by: &[Role::Root],
    path_len: Some(0),
    key_usage: &[KeyUsages::KeyCertSign, KeyUsages::CRLSign],
    extended: &[],
    extended_critical: false,
    default_days: 3652,
    max_days: 5479,
    permitted: ORGAN,
    alt_names: NO_ALT_NAMES,
};

/// The key that signs the journal, so that the CA key signs certificates and CRLs only (R10).
pub static JOURNAL: Profile = Profile {
    name: "journal-signer",
    purpose: "signs the records of an authority's journal",
    issued_by: &[Role::Root, Role::Issuing],
    path_len: None,
    key_usage: &[KeyUsages::DigitalSignature],
    extended: &[oid::JOURNAL_SIGNING],
    extended_critical: true,
    default_days: 7305,
    max_days: 10958,
    permitted: ORGAN,
    alt_names: NO_ALT_NAMES,
};

/// Either end of a link.
pub static LINK_DEVICE: Profile = Profile {
    name: "link-device",
    purpose: "a link encryptor: both ends of mutual TLS",
    issued_by: &[Role::Issuing],
    path_len: None,
    key_usage: &[KeyUsages::DigitalSignature],
    extended: &[oid::SERVER_AUTH, oid::CLIENT_AUTH],
    extended_critical: false,
    default_days: 731,
    max_days: 1096,
    permitted: ORGAN_AND_SERIAL,
    alt_names: AltNames { dns: true, ip: false, required: false, max: 4 },
};

static TLS_SERVER: Profile = Profile {
    name: "tls-server",
    purpose: "a TLS server, such as an HSM appliance",
    issued_by: &[Role::Issuing],
    path_len: None,
    key_usage: &[KeyUsages::DigitalSignature],
    extended: &[oid::SERVER_AUTH],
    extended_critical: false,
    default_days: 397,
    max_days: 825,
    permitted: ORGAN_AND_SERIAL,
    alt_names: AltNames { dns: true, ip: true, required: true, max: 16 },
};

static TLS_CLIENT: Profile = Profile {
    name: "tls-client",
    purpose: "a TLS client: an application or an operator of an HSM",
    issued_by: &[Role::Issuing],
    path_len: None,
    key_usage: &[KeyUsages::DigitalSignature],
    extended: &[oid::CLIENT_AUTH],
    extended_critical: false,
    default_days: 397,
    max_days: 825,
    permitted: ORGAN_AND_SERIAL,
    alt_names: NO_ALT_NAMES,
};

static POLICY_SIGNER: Profile = Profile {
    name: "policy-signer",
    purpose: "signs link policy (R37)",
    issued_by: &[Role::Issuing],
    path_len: None,
    key_usage: &[KeyUsages::DigitalSignature],
    extended: &[oid::POLICY_SIGNING],
    extended_critical: true,
    default_days: 731,
    max_days: 1096,
    permitted: ORGAN,
    alt_names: NO_ALT_NAMES,
};

static PACKAGE_SIGNER: Profile = Profile {
    name: "package-signer",
    purpose: "signs key packages for sites (R32)",
    issued_by: &[Role::Issuing],
    path_len: None,
    key_usage: &[KeyUsages::DigitalSignature],
    extended: &[oid::PACKAGE_SIGNING],
    extended_critical: true,
    default_days: 731,
    max_days: 1096,
    permitted: ORGAN,
    alt_names: NO_ALT_NAMES,
};

/// Profiles a request can be issued under.
pub static REQUESTABLE: [&Profile; 6] =
    [&ISSUING, &LINK_DEVICE, &TLS_SERVER, &TLS_CLIENT, &POLICY_SIGNER, &PACKAGE_SIGNER];

/// Every profile, the authority's own included.
pub fn all() -> impl Iterator<Item = &'static Profile> {
    [&ROOT, &JOURNAL].into_iter().chain(REQUESTABLE)
}

impl Profile {
    /// The profile of this name, if a request may ask for it.
    pub fn named(name: &str) -> Result<&'static Profile> {
        REQUESTABLE.into_iter().find(|p| p.name == name).ok_or_else(|| Error::ProfileUnknown { name: name.into() })
    }

    /// keyUsage as a set.
    pub fn usage(&self) -> FlagSet<KeyUsages> {
        self.key_usage.iter().fold(FlagSet::default(), |all, one| all | *one)
    }

    /// Holds a subject against the profile and returns the proof that it fits.
    pub fn permit(&'static self, subject: Subject, mut alt_names: Vec<AltName>) -> Result<Permitted> {
        if let Some(field) = subject.fields().find(|f| !self.permitted.contains(f)) {
            return Err(self.refuse(field.short()));
        }
        if !subject.fields().any(|f| f == Field::CommonName) {
            return Err(Error::NameMissing { field: "CN".into(), profile: self.name.into() });
        }
        alt_names.sort();
        alt_names.dedup();
        let refused = alt_names.iter().find(|name| match name {
            AltName::Dns(_) => !self.alt_names.dns,
            AltName::Ip(_) => !self.alt_names.ip,
        });
        if let Some(name) = refused {
            return Err(self.refuse(&name.to_string()));
        }
        if alt_names.len() > self.alt_names.max {
            return Err(self.refuse(&format!("{} subjectAltNames", alt_names.len())));
        }
        if self.alt_names.required && alt_names.is_empty() {
            return Err(Error::NameMissing { field: "subjectAltName".into(), profile: self.name.into() });
        }
        Ok(Permitted { profile: self, subject, alt_names })
    }

    fn refuse(&self, what: &str) -> Error {
        Error::ProfileRefuses { profile: self.name.into(), what: what.into() }
    }
}

/// Having one of these tells you that its names fit its profile.
#[derive(Clone, Debug)]
pub struct Permitted {
    profile: &'static Profile,
    subject: Subject,
    alt_names: Vec<AltName>,
}

impl Permitted {
    /// The profile that permitted it.
    pub fn profile(&self) -> &'static Profile {
        self.profile
    }

    /// The subject.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Names beside the subject, sorted.
    pub fn alt_names(&self) -> &[AltName] {
        &self.alt_names
    }
}
