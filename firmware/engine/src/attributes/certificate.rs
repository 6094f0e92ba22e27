//! What certificates and trust objects must have, and what they have when nobody says (PKCS#11 §4.6, 3.2 §4.16).

use super::Wanted;
use alloc::vec::Vec;
use coloa_wire::{AttributeType as A, ErrorCode, MechanismType};

/// `CKC_X_509`, the one type whose attributes the engine has.
const X_509: u64 = 0;

impl Wanted {
    /// # Errors
    /// `TemplateIncomplete` for a certificate that is neither here nor at a URL with the hashes that tell it.
    pub(crate) fn check_certificate(&self) -> Result<(), ErrorCode> {
        let has = |kind: A| self.bytes(kind).is_some_and(|bytes| !bytes.is_empty());
        let told = has(A::HASH_OF_SUBJECT_PUBLIC_KEY) && has(A::HASH_OF_ISSUER_PUBLIC_KEY);
        match self.number(A::CERTIFICATE_TYPE) {
            None => Err(ErrorCode::TemplateIncomplete),
            Some(X_509) if has(A::URL) && !told => Err(ErrorCode::TemplateIncomplete),
            Some(X_509) if has(A::VALUE) || has(A::URL) => Ok(()),
            Some(X_509) => Err(ErrorCode::TemplateIncomplete),
            Some(_) => Err(ErrorCode::AttributeValueInvalid),
        }
    }

    /// # Errors
    /// `TemplateIncomplete` for trust in a certificate that is not named.
    pub(crate) fn check_trust(&self) -> Result<(), ErrorCode> {
        let named = [A::ISSUER, A::SERIAL_NUMBER, A::HASH_OF_CERTIFICATE].into_iter().all(|kind| self.has(kind));
        if named { Ok(()) } else { Err(ErrorCode::TemplateIncomplete) }
    }

    pub(super) fn default_certificate(&mut self) {
        const EMPTY: [A; 9] = [
            A::ID,
            A::ISSUER,
            A::SERIAL_NUMBER,
            A::VALUE,
            A::URL,
            A::HASH_OF_SUBJECT_PUBLIC_KEY,
            A::HASH_OF_ISSUER_PUBLIC_KEY,
            A::START_DATE,
            A::END_DATE,
        ];
        EMPTY.into_iter().for_each(|kind| self.default(kind, Vec::new()));
        self.default(A::PUBLIC_KEY_INFO, Vec::new());
        self.default(A::CERTIFICATE_CATEGORY, 0);
        self.default(A::JAVA_MIDP_SECURITY_DOMAIN, 0);
        self.default(A::NAME_HASH_ALGORITHM, u64::from(MechanismType::SHA_1.0));
        self.default(A::TRUSTED, false);
    }

    pub(super) fn default_trust(&mut self) {
        const LEVELS: [A; 7] = [
            A::TRUST_SERVER_AUTH,
            A::TRUST_CLIENT_AUTH,
            A::TRUST_CODE_SIGNING,
            A::TRUST_EMAIL_PROTECTION,
            A::TRUST_IPSEC_IKE,
            A::TRUST_TIME_STAMPING,
            A::TRUST_OCSP_SIGNING,
        ];
        LEVELS.into_iter().for_each(|kind| self.default(kind, 0));
        self.default(A::NAME_HASH_ALGORITHM, u64::from(MechanismType::SHA_1.0));
    }
}
