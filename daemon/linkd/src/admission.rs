//! Who may have a link, at this moment: a certificate that verifies, is not revoked (R31), and whose identity the signed
//! policy names as our peer (R37). The answer is a value, [`Admitted`], that only this module makes.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use coloa_link::{Accepted, Organ, SiteIndex, Spd};
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{
    CertRevocationList, ExpirationPolicy, KeyUsage, OwnedCertRevocationList, RevocationCheckDepth,
    RevocationOptionsBuilder, UnknownStatusPolicy,
};

use crate::config;
use crate::fault::Fault;
use crate::identity::{Identity, read_certificates, read_crls};
use crate::{known_signatures, organ};

/// Things that can expire on a path: its certificates (webpki takes eight at most), and a list for each, twice looked at.
const MAX_EXPIRIES: usize = 32;
/// Seconds that a verdict stands whose end cannot be told.
const UNCLEAR: u64 = 60;

/// The role in which a certificate is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// By the peer that dialled.
    AsClient,
    /// By the peer that accepted.
    AsServer,
}

impl Shown {
    /// What its certificate must be for.
    pub fn usage(self) -> KeyUsage {
        match self {
            Shown::AsClient => KeyUsage::client_auth(),
            Shown::AsServer => KeyUsage::server_auth(),
        }
    }
}

/// Why a peer is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The chain does not verify.
    Certificate(webpki::Error),
    /// The identity is not a peer of this site in the policy.
    NotInPolicy(Identity),
    /// The policy has it as a site of one organ, and its certificate says another, or none.
    AnotherOrgan {
        /// What the policy says.
        policy: Organ,
        /// What the certificate says.
        certificate: Option<Organ>,
    },
}

impl Refused {
    /// Whether the certificate was called back, not only out of date or unknown.
    pub fn is_revocation(&self) -> bool {
        matches!(self, Refused::Certificate(webpki::Error::CertRevoked))
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refused::Certificate(why) => write!(f, "its certificate does not verify: {why}"),
            Refused::NotInPolicy(identity) => write!(f, "the signed policy grants no link with {identity}"),
            Refused::AnotherOrgan { policy, certificate } => {
                let said = certificate.map_or("no organ that is known", Organ::word);
                write!(f, "another organ: the signed policy has it as {policy}, its certificate says {said}")
            }
        }
    }
}

impl std::error::Error for Refused {}

/// A peer that may have a link.
#[derive(Clone, Debug)]
pub struct Admitted {
    identity: Identity,
}

impl Admitted {
    /// Who it is.
    pub fn identity(&self) -> Identity {
        self.identity
    }
}

/// Trust anchors and revocation lists.
pub struct Trust {
    anchors: Vec<TrustAnchor<'static>>,
    crls: Vec<CertRevocationList<'static>>,
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Trust({} anchors, {} revocation lists)", self.anchors.len(), self.crls.len())
    }
}

impl Trust {
    /// Reads what the configuration names.
    pub fn load(files: &config::Identity) -> Result<Self, Fault> {
        let path = &files.trust_anchors;
        let anchor = |certificate: &CertificateDer<'_>| {
            webpki::anchor_from_trusted_cert(certificate)
                .map(|a| a.to_owned())
                .map_err(|e| Fault::Certificate { path: path.clone(), why: e.to_string() })
        };
        let anchors = read_certificates(path)?.iter().map(anchor).collect::<Result<_, _>>()?;
        let crls = files.crl.as_deref().map(load_crls).transpose()?.unwrap_or_default();
        Ok(Self { anchors, crls })
    }

    /// Verifies a chain for a usage. With revocation lists, every certificate must be covered by one that has not expired: a
    /// status that cannot be known refuses (R31).
    pub fn verify(&self, chain: &[CertificateDer<'_>], usage: KeyUsage, now: UnixTime) -> Result<(), webpki::Error> {
        let (end, intermediates) = chain.split_first().ok_or(webpki::Error::UnknownIssuer)?;
        let crls: Vec<&CertRevocationList<'_>> = self.crls.iter().collect();
        let revocation = RevocationOptionsBuilder::new(&crls).ok().map(|options| {
            options
                .with_depth(RevocationCheckDepth::Chain)
                .with_status_policy(UnknownStatusPolicy::Deny)
                .with_expiration_policy(ExpirationPolicy::Enforce)
                .build()
        });
        let algorithms = known_signatures::algorithms();
        webpki::EndEntityCert::try_from(end)?
            .verify_for_usage(algorithms, &self.anchors, intermediates, now, usage, revocation, None)
            .map(|_path| ())
    }

    /// The last second in which a chain that verifies now still does, for all that the clock can change.
    ///
    /// webpki tells what has expired, and when: with the clock at the end of time that is one certificate or list of the
    /// path, then the next, until nothing has. A verdict that cannot be put forward so stands for a minute only.
    pub fn verified_until(&self, chain: &[CertificateDer<'_>], usage: KeyUsage, now: UnixTime) -> UnixTime {
        let seconds = |secs| UnixTime::since_unix_epoch(Duration::from_secs(secs));
        let mut until = seconds(u64::MAX / 2);
        for _ in 0..MAX_EXPIRIES {
            let limit = match self.verify(chain, usage, until) {
                Ok(()) => return until,
                Err(webpki::Error::CertExpired { not_after, .. }) => not_after.as_secs(),
                Err(webpki::Error::CrlExpired { next_update, .. }) => next_update.as_secs(),
                Err(_) => break,
            };
            // A list is expired in the very second that it names.
            until = seconds(limit.min(until.as_secs().saturating_sub(1)));
        }
        seconds(now.as_secs().saturating_add(UNCLEAR))
    }

    /// Verifies a chain whose end must name this purpose (extended key usage, content octets of its identifier).
    ///
    /// webpki wants a required purpose in every certificate of the path, but authorities name none. So the path is verified
    /// with the purpose where one is named, and then the end alone, under its verified issuer, with the purpose required.
    pub fn verify_purpose(
        &self,
        chain: &[CertificateDer<'_>],
        purpose: &'static [u8],
        now: UnixTime,
    ) -> Result<(), webpki::Error> {
        self.verify(chain, KeyUsage::required_if_present(purpose), now)?;
        let (end, intermediates) = chain.split_first().ok_or(webpki::Error::UnknownIssuer)?;
        let issuers = intermediates.iter().filter_map(|issuer| webpki::anchor_from_trusted_cert(issuer).ok());
        let issuers: Vec<TrustAnchor<'_>> = issuers.chain(self.anchors.iter().cloned()).collect();
        let algorithms = known_signatures::algorithms();
        webpki::EndEntityCert::try_from(end)?
            .verify_for_usage(algorithms, &issuers, &[], now, KeyUsage::required(purpose), None, None)
            .map(|_path| ())
    }
}

/// The present, as certificates count it.
pub fn now() -> UnixTime {
    UnixTime::since_unix_epoch(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn load_crls(path: &std::path::Path) -> Result<Vec<CertRevocationList<'static>>, Fault> {
    let parse = |der: rustls_pki_types::CertificateRevocationListDer<'_>| {
        OwnedCertRevocationList::from_der(der.as_ref())
            .map(CertRevocationList::from)
            .map_err(|e| Fault::Certificate { path: path.to_owned(), why: e.to_string() })
    };
    read_crls(path)?.into_iter().map(parse).collect()
}

/// Trust and policy as they stand; both can be renewed while links live.
#[derive(Debug)]
pub struct Admission {
    own: Identity,
    trust: RwLock<Arc<Trust>>,
    policy: RwLock<InForce>,
}

/// The policy in force, and its peers by who they are.
#[derive(Clone, Debug)]
struct InForce {
    spd: Arc<Option<Spd>>,
    peers: Arc<HashMap<Identity, Option<Organ>>>,
}

impl InForce {
    fn new(policy: Accepted, own: &Identity) -> Self {
        let spd = Spd::new(policy, &own.0);
        let peers = spd.iter().flat_map(Spd::peers).map(|(_, site)| (Identity(site.identity), site.organ)).collect();
        Self { spd: Arc::new(spd), peers: Arc::new(peers) }
    }
}

impl Admission {
    /// For the device with this identity.
    pub fn new(own: Identity, trust: Trust, policy: Accepted) -> Self {
        let policy = RwLock::new(InForce::new(policy, &own));
        Self { own, trust: RwLock::new(Arc::new(trust)), policy }
    }

    /// Our own identity.
    pub fn own(&self) -> Identity {
        self.own
    }

    /// The policy in force; nothing when it does not know this site.
    pub fn policy(&self) -> Arc<Option<Spd>> {
        self.in_force().spd
    }

    fn in_force(&self) -> InForce {
        self.policy.read().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// Puts a newer policy in force.
    pub fn set_policy(&self, policy: Accepted) {
        let policy = InForce::new(policy, &self.own);
        *self.policy.write().unwrap_or_else(|e| e.into_inner()) = policy;
    }

    /// Puts new trust anchors and revocation lists in force.
    pub fn set_trust(&self, trust: Trust) {
        *self.trust.write().unwrap_or_else(|e| e.into_inner()) = Arc::new(trust);
    }

    /// Decides about the holder of a chain, now.
    pub fn admit(&self, chain: &[CertificateDer<'_>], shown: Shown, now: UnixTime) -> Result<Admitted, Refused> {
        self.trust().verify(chain, shown.usage(), now).map_err(Refused::Certificate)?;
        let unreadable = Refused::Certificate(webpki::Error::BadDer);
        let (end, identity) = chain.first().and_then(|end| Some((end, Identity::of(end)?))).ok_or(unreadable)?;
        let granted = self.in_force().peers.get(&identity).copied();
        let policy = granted.ok_or(Refused::NotInPolicy(identity))?;
        match (policy, organ::of(end)) {
            (Some(policy), certificate) if certificate != Some(policy) => {
                Err(Refused::AnotherOrgan { policy, certificate })
            }
            _ => Ok(Admitted { identity }),
        }
    }

    /// Until when the holder of a chain that is admitted now stays so by the clock alone, while trust and policy stay.
    pub fn admitted_until(&self, chain: &[CertificateDer<'_>], shown: Shown, now: UnixTime) -> UnixTime {
        self.trust().verified_until(chain, shown.usage(), now)
    }

    /// When the first certificate of a chain that is admitted now expires, whatever the lists say.
    pub fn expires(&self, chain: &[CertificateDer<'_>], shown: Shown, now: UnixTime) -> UnixTime {
        let without_lists = Trust { anchors: self.trust().anchors.clone(), crls: Vec::new() };
        without_lists.verified_until(chain, shown.usage(), now)
    }

    /// The trust in force.
    pub fn trust(&self) -> Arc<Trust> {
        self.trust.read().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// The peers that the policy in force grants: site, name, identity.
    pub fn peers(&self) -> Vec<(SiteIndex, String, Identity)> {
        let policy = self.policy();
        let Some(spd) = policy.as_ref() else { return Vec::new() };
        spd.peers().map(|(index, site)| (index, site.name.clone(), Identity(site.identity))).collect()
    }
}
