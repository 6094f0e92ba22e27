//! The policy authority: a certificate under the same trust anchors whose purpose is to sign link policy, and no other.
//!
//! The purpose matters: a device's own certificate lies under the same anchors, and its key could sign a policy that grants
//! it everything (R37).

use std::path::Path;

use rustls_pki_types::CertificateDer;

use crate::admission::{self, Trust};
use crate::fault::Fault;
use crate::identity::read_certificates;

/// Extended key usage "signs link policy": 2.25.152171363938579942698067219498457522657 (X.667), content octets.
pub(super) const POLICY_SIGNING: &[u8] = &[
    0x69, 0x81, 0xe4, 0xfb, 0x91, 0xdf, 0xcf, 0xc2, 0x82, 0x8d, 0xa7, 0x80, 0xa4, 0xd7, 0x95, 0xaa, 0x8f, 0xc9, 0xc3,
    0x61,
];

/// A certificate that may sign policy.
#[derive(Debug)]
pub struct Authority {
    certificate: CertificateDer<'static>,
    expired: bool,
}

impl Authority {
    /// Reads the certificate (with intermediates behind it) and verifies path, revocation and purpose.
    pub fn read(path: &Path, trust: &Trust) -> Result<Self, Fault> {
        let fault = |why: String| Fault::Certificate { path: path.to_owned(), why };
        let unfit = |why: webpki::Error| match why {
            webpki::Error::RequiredEkuNotFoundContext(_) => fault("link policy is not what it may sign".into()),
            other => fault(format!("it may not sign link policy: {other}")),
        };
        let chain = read_certificates(path)?;
        let expired = match trust.verify_purpose(&chain, POLICY_SIGNING, admission::now()) {
            Ok(()) => false,
            Err(webpki::Error::CertExpired { not_after, .. }) => {
                // Verified as it stood in its last second: only its age may be the reason.
                let verified = trust.verify_purpose(&chain, POLICY_SIGNING, not_after);
                verified.map_err(unfit)?;
                true
            }
            Err(why) => return Err(unfit(why)),
        };
        let certificate = chain.into_iter().next().ok_or_else(|| fault("it is empty".into()))?;
        Ok(Self { certificate, expired })
    }

    /// The certificate whose key signs.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Whether it still signs: an expired authority only stands for what was accepted before, so that a site does not go
    /// dark over a restart.
    pub fn may_sign_anew(&self) -> bool {
        !self.expired
    }
}
