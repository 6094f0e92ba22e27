//! ECDH on P-256 and P-384 (RFC 8446 §4.2.8.2: uncompressed points).

use alloc::boxed::Box;
use core::fmt;

use p256::elliptic_curve::zeroize::Zeroize;
use rustls::crypto::{ActiveKeyExchange, SharedSecret, SupportedKxGroup};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup, PeerMisbehaved};

use super::Random;

/// Candidates to draw before the random source is held to be broken: each is refused with probability below 2^-31.
const CANDIDATES: usize = 4;

macro_rules! group {
    ($group:ident, $crate_:ident, $name:expr, $scalar:literal) => {
        pub(super) struct $group(pub(super) Random);

        impl fmt::Debug for $group {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($group))
            }
        }

        impl SupportedKxGroup for $group {
            fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
                let secret =
                    draw::<$crate_::SecretKey, $scalar>(self.0, |bytes| $crate_::SecretKey::from_slice(bytes).ok())?;
                let public = secret.public_key().to_sec1_bytes();
                Ok(Box::new(Started { secret, public }))
            }

            fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
                None
            }

            fn name(&self) -> NamedGroup {
                $name
            }
        }

        impl ActiveKeyExchange for Started<$crate_::SecretKey> {
            fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
                uncompressed(peer)?;
                // Refuses points off the curve and the identity (SP 800-56A §5.6.2.3).
                let peer = $crate_::PublicKey::from_sec1_bytes(peer).map_err(|_| PeerMisbehaved::InvalidKeyShare)?;
                Ok(SharedSecret::from(&self.secret.diffie_hellman(&peer).raw_secret_bytes()[..]))
            }

            fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
                None
            }

            fn pub_key(&self) -> &[u8] {
                &self.public
            }

            fn group(&self) -> NamedGroup {
                $name
            }
        }
    };
}

group!(P256, p256, NamedGroup::secp256r1, 32);
group!(P384, p384, NamedGroup::secp384r1, 48);

struct Started<S> {
    secret: S,
    public: Box<[u8]>,
}

fn draw<S, const N: usize>(random: Random, parse: impl Fn(&[u8]) -> Option<S>) -> Result<S, Error> {
    let mut candidate = [0; N];
    let mut found = None;
    for _ in 0..CANDIDATES {
        random.fill(&mut candidate)?;
        found = parse(&candidate);
        if found.is_some() {
            break;
        }
    }
    candidate.zeroize();
    found.ok_or(Error::FailedToGetRandomBytes)
}

fn uncompressed(share: &[u8]) -> Result<(), Error> {
    match share.first() {
        Some(4) => Ok(()),
        _ => Err(PeerMisbehaved::InvalidKeyShare.into()),
    }
}
