//! X25519MLKEM768 (draft-ietf-tls-ecdhe-mlkem): safe if either half holds (R30).
//!
//! Only the server's part: a board never dials. Shares and secrets carry the ML-KEM half first.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use ml_kem::{B32, EncapsulationKey768};
use rustls::crypto::{ActiveKeyExchange, CompletedKeyExchange, SharedSecret, SupportedKxGroup};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup, PeerMisbehaved, ProtocolVersion};
use zeroize::Zeroizing;

use super::{Random, x25519};

/// An ML-KEM-768 encapsulation key (FIPS 203 table 3).
const ENCAPSULATION_KEY: usize = 1184;

pub(super) struct X25519MlKem768 {
    pub(super) x25519: &'static dyn SupportedKxGroup,
    pub(super) random: Random,
}

impl fmt::Debug for X25519MlKem768 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("X25519MLKEM768")
    }
}

impl SupportedKxGroup for X25519MlKem768 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        Err(Error::General("a board answers X25519MLKEM768, it does not offer it".into()))
    }

    fn start_and_complete(&self, client: &[u8]) -> Result<CompletedKeyExchange, Error> {
        if client.len() != ENCAPSULATION_KEY + x25519::SHARE {
            return Err(PeerMisbehaved::InvalidKeyShare.into());
        }
        let (lattice, curve) = client.split_at(ENCAPSULATION_KEY);
        let curve = self.x25519.start_and_complete(curve)?;
        let (ciphertext, secret) = self.encapsulate(lattice)?;
        let both = Zeroizing::new([&secret[..], curve.secret.secret_bytes()].concat());
        Ok(CompletedKeyExchange {
            group: self.name(),
            pub_key: [&ciphertext[..], &curve.pub_key].concat(),
            secret: SharedSecret::from(&both[..]),
        })
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }

    fn usable_for_version(&self, version: ProtocolVersion) -> bool {
        version == ProtocolVersion::TLSv1_3
    }
}

impl X25519MlKem768 {
    fn encapsulate(&self, key: &[u8]) -> Result<(Vec<u8>, Zeroizing<[u8; 32]>), Error> {
        let key = key.try_into().map_err(|_| PeerMisbehaved::InvalidKeyShare)?;
        // FIPS 203 §7.2: the key is checked (modulus) before it is used.
        let key = EncapsulationKey768::new(key).map_err(|_| PeerMisbehaved::InvalidKeyShare)?;
        let mut message = Zeroizing::new([0; 32]);
        self.random.fill(&mut *message)?;
        let (ciphertext, secret) = key.encapsulate_deterministic(&B32::from(*message));
        Ok((ciphertext.to_vec(), Zeroizing::new(secret.into())))
    }
}
