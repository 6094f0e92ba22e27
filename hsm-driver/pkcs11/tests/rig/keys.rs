//! Keys of every kind, which may do what they can, so that what is given with them is looked at.

use super::P256;
use super::c::*;
use cryptoki_sys::*;

/// A public key, then a private one.
pub type Pair = (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE);

/// Session objects.
pub struct Keys {
    pub aes: CK_OBJECT_HANDLE,
    pub xts: CK_OBJECT_HANDLE,
    pub generic: CK_OBJECT_HANDLE,
    pub rsa: Pair,
    pub ec: Pair,
    pub ed25519: Pair,
    pub ml_dsa: Pair,
    pub ml_kem: Pair,
}

/// DER of the names of the curves (RFC 8410 §3).
const ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];

impl Keys {
    pub fn new(s: CK_SESSION_HANDLE) -> Self {
        let secret = [CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY, CKA_WRAP, CKA_UNWRAP, CKA_DERIVE];
        let rsa = Attributes::new().number(CKA_MODULUS_BITS, 2048).yes(&[CKA_ENCRYPT, CKA_VERIFY, CKA_WRAP]);
        let ec = Attributes::new().bytes(CKA_EC_PARAMS, P256).yes(&[CKA_VERIFY]);
        let ed25519 = Attributes::new().bytes(CKA_EC_PARAMS, ED25519).yes(&[CKA_VERIFY]);
        let ml_dsa = Attributes::new().number(CKA_PARAMETER_SET, 1).yes(&[CKA_VERIFY]);
        let ml_kem = Attributes::new().number(CKA_PARAMETER_SET, 1).yes(&[CKA_ENCAPSULATE]);
        let pair = |kind, public, uses: &[CK_ATTRIBUTE_TYPE]| {
            generate_pair(s, kind, public, Attributes::new().yes(uses)).unwrap()
        };
        Keys {
            aes: import(s, CKK_AES, &[7; 32], &secret),
            xts: import(s, CKK_AES_XTS, &std::array::from_fn::<u8, 64, _>(|n| n as u8), &[CKA_ENCRYPT, CKA_DECRYPT]),
            generic: import(s, CKK_GENERIC_SECRET, &[7; 32], &[CKA_SIGN, CKA_VERIFY, CKA_DERIVE, CKA_EXTRACTABLE]),
            rsa: pair(CKM_RSA_PKCS_KEY_PAIR_GEN, rsa, &[CKA_DECRYPT, CKA_SIGN, CKA_UNWRAP]),
            ec: pair(CKM_EC_KEY_PAIR_GEN, ec, &[CKA_SIGN, CKA_DERIVE]),
            ed25519: pair(CKM_EC_EDWARDS_KEY_PAIR_GEN, ed25519, &[CKA_SIGN]),
            ml_dsa: pair(CKM_ML_DSA_KEY_PAIR_GEN, ml_dsa, &[CKA_SIGN]),
            ml_kem: pair(CKM_ML_KEM_KEY_PAIR_GEN, ml_kem, &[CKA_DECAPSULATE]),
        }
    }

    pub fn all(&self) -> [CK_OBJECT_HANDLE; 13] {
        let Keys { aes, xts, generic, rsa, ec, ed25519, ml_dsa, ml_kem } = self;
        let pairs = [rsa.0, rsa.1, ec.0, ec.1, ed25519.0, ed25519.1, ml_dsa.0, ml_dsa.1, ml_kem.0, ml_kem.1];
        let [a, b, c, d, e, f, g, h, i, j] = pairs;
        [*aes, *xts, *generic, a, b, c, d, e, f, g, h, i, j]
    }

    /// One of them.
    pub fn any(&self, which: u8) -> CK_OBJECT_HANDLE {
        let all = self.all();
        all[usize::from(which) % all.len()]
    }
}
