//! A signer in software, for tests that need many signatures and no token, and certificates made with it.
#![allow(dead_code)] // each test file uses its part

use coloa_pki::certificate::{self, Issuer, Particulars};
use coloa_pki::clock::Moment;
use coloa_pki::curve::{Curve, PublicKey};
use coloa_pki::name::AltName;
use coloa_pki::profile::Profile;
use coloa_pki::token::Signer;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

/// A P-256 key in memory.
pub struct SoftKey {
    pair: EcdsaKeyPair,
    public: PublicKey,
}

impl SoftKey {
    pub fn new() -> SoftKey {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random).unwrap();
        let public = PublicKey::from_point(Curve::P256, pair.public_key().as_ref()).unwrap();
        SoftKey { pair, public }
    }
}

impl Signer for SoftKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> coloa_pki::Result<Vec<u8>> {
        Ok(self.pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec())
    }
}

/// A name with a key.
pub struct Party {
    pub name: String,
    pub key: SoftKey,
}

impl Party {
    pub fn new(name: &str) -> Party {
        Party { name: name.into(), key: SoftKey::new() }
    }

    pub fn issuer(&self) -> Issuer {
        let subject: coloa_pki::name::Subject = self.name.parse().unwrap();
        let key_id = self.key.public_key().identifier();
        Issuer { name: subject.to_der().unwrap(), key_id, crl_url: None }
    }

    /// Certifies another under any profile, its own sense aside.
    pub fn certify(&self, other: &Party, profile: &'static Profile, from: Moment, until: Moment) -> Vec<u8> {
        self.certify_as(other, profile, from, until, &serial(1))
    }

    pub fn certify_as(
        &self,
        other: &Party,
        profile: &'static Profile,
        from: Moment,
        until: Moment,
        serial: &[u8],
    ) -> Vec<u8> {
        let names = match profile.alt_names.required {
            true => vec![AltName::dns("host.example").unwrap()],
            false => Vec::new(),
        };
        let permitted = profile.permit(other.name.parse().unwrap(), names).unwrap();
        let public_key = other.key.public_key();
        let particulars = Particulars { permitted: &permitted, public_key, serial, not_before: from, not_after: until };
        certificate::build(&particulars, &self.issuer(), &self.key).unwrap()
    }
}

/// Twenty bytes that begin as a serial number must.
pub fn serial(n: u8) -> Vec<u8> {
    let mut serial = vec![0x41; 20];
    serial[19] = n;
    serial
}

pub fn moment(text: &str) -> Moment {
    text.parse().unwrap()
}
