//! ECDSA verification for certificates and for the client's signature over the handshake.

use rustls::SignatureScheme;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};
use sha2::{Digest, Sha256, Sha384};

/// In TLS 1.3 a scheme fixes the curve; certificates may pair either curve with either hash.
pub(super) static ALGORITHMS: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[&P384_SHA384, &P256_SHA256, &P256_SHA384, &P384_SHA256],
    mapping: &[
        (SignatureScheme::ECDSA_NISTP384_SHA384, &[&P384_SHA384]),
        (SignatureScheme::ECDSA_NISTP256_SHA256, &[&P256_SHA256]),
    ],
};

static P256_SHA256: Ecdsa = Ecdsa { verify: p256_sha256, curve: alg_id::ECDSA_P256, scheme: alg_id::ECDSA_SHA256 };
static P256_SHA384: Ecdsa = Ecdsa { verify: p256_sha384, curve: alg_id::ECDSA_P256, scheme: alg_id::ECDSA_SHA384 };
static P384_SHA256: Ecdsa = Ecdsa { verify: p384_sha256, curve: alg_id::ECDSA_P384, scheme: alg_id::ECDSA_SHA256 };
static P384_SHA384: Ecdsa = Ecdsa { verify: p384_sha384, curve: alg_id::ECDSA_P384, scheme: alg_id::ECDSA_SHA384 };

/// Public key as an uncompressed point, message, DER signature.
type Verify = fn(&[u8], &[u8], &[u8]) -> Option<()>;

#[derive(Debug)]
struct Ecdsa {
    verify: Verify,
    curve: AlgorithmIdentifier,
    scheme: AlgorithmIdentifier,
}

impl SignatureVerificationAlgorithm for Ecdsa {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        (self.verify)(key, message, signature).ok_or(InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.curve
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.scheme
    }
}

macro_rules! verifier {
    ($name:ident, $curve:ident, $hash:ty) => {
        fn $name(key: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
            use $curve::ecdsa::{DerSignature, VerifyingKey, signature::hazmat::PrehashVerifier};
            let key = VerifyingKey::from_sec1_bytes(key).ok()?;
            let signature = DerSignature::try_from(signature).ok()?;
            key.verify_prehash(&<$hash>::digest(message), &signature).ok()
        }
    };
}

verifier!(p256_sha256, p256, Sha256);
verifier!(p256_sha384, p256, Sha384);
verifier!(p384_sha256, p384, Sha256);
verifier!(p384_sha384, p384, Sha384);
