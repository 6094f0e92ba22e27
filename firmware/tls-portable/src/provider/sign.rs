//! The board's own key: ECDSA on P-256 or P-384, from PKCS#8.
//!
//! Nonces are deterministic (RFC 6979): a weak random source at this moment does not give the key away.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use rustls::crypto::KeyProvider;
use rustls::sign::{Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};
use rustls_pki_types::PrivateKeyDer;
use sha2::{Digest, Sha256, Sha384};

#[derive(Debug)]
pub(super) struct Keys;

impl KeyProvider for Keys {
    fn load_private_key(&self, der: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        let PrivateKeyDer::Pkcs8(der) = der else {
            return Err(Error::General("the board's private key must be PKCS#8".into()));
        };
        p384_key(der.secret_pkcs8_der())
            .or_else(|| p256_key(der.secret_pkcs8_der()))
            .ok_or_else(|| Error::General("the board's private key must be on P-256 or P-384".into()))
    }
}

macro_rules! ecdsa {
    ($load:ident, $key:ident, $curve:ident, $hash:ty, $scheme:expr) => {
        fn $load(der: &[u8]) -> Option<Arc<dyn SigningKey>> {
            use $curve::pkcs8::DecodePrivateKey;
            let secret = $curve::SecretKey::from_pkcs8_der(der).ok()?;
            Some(Arc::new($key(Arc::new(secret.into()))))
        }

        struct $key(Arc<$curve::ecdsa::SigningKey>);

        impl fmt::Debug for $key {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($key))
            }
        }

        impl SigningKey for $key {
            fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
                offered.contains(&$scheme).then(|| Box::new($key(self.0.clone())) as _)
            }

            fn algorithm(&self) -> SignatureAlgorithm {
                SignatureAlgorithm::ECDSA
            }
        }

        impl Signer for $key {
            fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
                use $curve::ecdsa::{DerSignature, signature::hazmat::PrehashSigner};
                let signature: DerSignature = self
                    .0
                    .sign_prehash(&<$hash>::digest(message))
                    .map_err(|_| Error::General("ECDSA refused to sign".into()))?;
                Ok(signature.as_bytes().to_vec())
            }

            fn scheme(&self) -> SignatureScheme {
                $scheme
            }
        }
    };
}

ecdsa!(p256_key, P256Key, p256, Sha256, SignatureScheme::ECDSA_NISTP256_SHA256);
ecdsa!(p384_key, P384Key, p384, Sha384, SignatureScheme::ECDSA_NISTP384_SHA384);
