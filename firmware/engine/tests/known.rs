//! Known answers for keys that are imported, so that both the way in and the mechanism are right.

mod rig;

use coloa_store_testkit::RamStore;
use coloa_wire::attribute::{class, key_type as K, parameter_set};
use coloa_wire::command::*;
use coloa_wire::mechanism::*;
use coloa_wire::{AttributeType as A, GcmParams, Mechanism, MechanismType as M, ObjectId, Parameter, Template};
use rig::*;
use std::collections::BTreeMap;

/// A record of `vectors/known.txt`.
struct Known(BTreeMap<&'static str, &'static str>);

impl Known {
    fn word(&self, name: &str) -> &'static str {
        self.0.get(name).unwrap_or_else(|| panic!("no {name}"))
    }

    fn number(&self, name: &str) -> u32 {
        self.word(name).parse().unwrap()
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        let digits = self.word(name);
        (0..digits.len() / 2).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap()).collect()
    }
}

fn known(kind: &str) -> Vec<Known> {
    let blocks = include_str!("vectors/known.txt").split("\n\n");
    let record = |block: &'static str| {
        let lines = block.lines().filter(|line| !line.starts_with('#'));
        Known(
            lines.map(|line| line.split_once('=').unwrap()).map(|(name, value)| (name.trim(), value.trim())).collect(),
        )
    };
    let found: Vec<_> = blocks.map(record).filter(|record| record.0.get("kind") == Some(&kind)).collect();
    assert!(!found.is_empty(), "no vectors for {kind}");
    found
}

/// Digest, HMAC, HMAC of a chosen length, and PKCS#1 v1.5 by a hash's name.
fn hashed(name: &str) -> [M; 4] {
    match name {
        "SHA224" => [M::SHA224, M::SHA224_HMAC, M::SHA224_HMAC_GENERAL, M::SHA224_RSA_PKCS],
        "SHA256" => [M::SHA256, M::SHA256_HMAC, M::SHA256_HMAC_GENERAL, M::SHA256_RSA_PKCS],
        "SHA384" => [M::SHA384, M::SHA384_HMAC, M::SHA384_HMAC_GENERAL, M::SHA384_RSA_PKCS],
        "SHA512" => [M::SHA512, M::SHA512_HMAC, M::SHA512_HMAC_GENERAL, M::SHA512_RSA_PKCS],
        "SHA3_224" => [M::SHA3_224, M::SHA3_224_HMAC, M::SHA3_224_HMAC_GENERAL, M::SHA3_224_RSA_PKCS],
        "SHA3_256" => [M::SHA3_256, M::SHA3_256_HMAC, M::SHA3_256_HMAC_GENERAL, M::SHA3_256_RSA_PKCS],
        "SHA3_384" => [M::SHA3_384, M::SHA3_384_HMAC, M::SHA3_384_HMAC_GENERAL, M::SHA3_384_RSA_PKCS],
        "SHA3_512" => [M::SHA3_512, M::SHA3_512_HMAC, M::SHA3_512_HMAC_GENERAL, M::SHA3_512_RSA_PKCS],
        other => panic!("{other}"),
    }
}

fn on_compatible(test: impl FnOnce(&Caller<'_>)) {
    let engine = start(&RamStore::new()).unwrap();
    test(&user(&engine, token(&engine, PartitionMode::Compatible)));
}

/// The imported key makes the known bytes and takes them back.
fn macs(caller: &Caller<'_>, key_type: u64, record: &Known, mechanism: &Mechanism) {
    let template = secret_template(key_type, &record.bytes("key")).with(A::SIGN, true).with(A::VERIFY, true);
    let key = caller.import(template).unwrap();
    let (text, made) = (record.bytes("text"), record.bytes("made"));
    assert_eq!(caller.sign_by(key, mechanism, &text).unwrap(), made, "{mechanism:?}");
    caller.verify_by(key, mechanism, &text, &made).unwrap();
}

#[test]
fn macs_are_those_of_others() {
    on_compatible(|caller| {
        for record in known("mac") {
            let [hash, full, general, _] = hashed(record.word("hash"));
            let length = signing(full).map(|_| record.bytes("made").len() as u32).unwrap();
            assert_eq!(record.number("bits"), length * 8);
            macs(caller, K::GENERIC_SECRET, &record, &Mechanism::with(general, Parameter::MacLength(length)));
            let whole = HASHES.iter().any(|(of, longest, _)| *of == hash && *longest == length as usize);
            if whole {
                macs(caller, K::GENERIC_SECRET, &record, &full.into());
            }
        }
        for record in known("cmac") {
            macs(caller, K::AES, &record, &M::AES_CMAC.into());
        }
    });
}

fn ciphers(caller: &Caller<'_>, key_type: u64, record: &Known, mechanism: &Mechanism) {
    let template = secret_template(key_type, &record.bytes("key")).with(A::ENCRYPT, true).with(A::DECRYPT, true);
    let key = caller.import(template).unwrap();
    let (text, made) = (record.bytes("text"), record.bytes("made"));
    assert_eq!(caller.encrypt(key, mechanism, &text).unwrap(), (None, made.clone()), "{mechanism:?}");
    assert_eq!(caller.decrypt(key, mechanism, &made).unwrap(), text, "{mechanism:?}");
}

#[test]
fn ciphertexts_are_those_of_others() {
    on_compatible(|caller| {
        for record in known("ecb") {
            ciphers(caller, K::AES, &record, &M::AES_ECB.into());
        }
        for (name, kind, key_type) in
            [("cbc", M::AES_CBC, K::AES), ("cbc-pad", M::AES_CBC_PAD, K::AES), ("xts", M::AES_XTS, K::AES_XTS)]
        {
            for record in known(name) {
                let iv = Parameter::Iv(Some(record.bytes("iv")));
                ciphers(caller, key_type, &record, &Mechanism::with(kind, iv));
            }
        }
        for record in known("ctr") {
            let ctr = Parameter::Ctr(CtrParams { bits: 32, block: record.bytes("iv") });
            ciphers(caller, K::AES, &record, &Mechanism::with(M::AES_CTR, ctr));
        }
        for record in known("gcm") {
            let (iv, aad, tag_bits) = (Some(record.bytes("iv")), record.bytes("aad"), record.number("bits"));
            let gcm = Some(GcmParams { iv, aad, tag_bits });
            ciphers(caller, K::AES, &record, &Mechanism { kind: M::AES_GCM, gcm, parameter: None });
        }
        for record in known("ccm") {
            let (nonce, aad, tag) = (Some(record.bytes("iv")), record.bytes("aad"), record.number("bits") / 8);
            let ccm = Parameter::Ccm(CcmParams { nonce, aad, tag });
            ciphers(caller, K::AES, &record, &Mechanism::with(M::AES_CCM, ccm));
        }
    });
}

fn half(class: u64, key_type: u64, value: (A, Vec<u8>)) -> Template {
    Template::default().with(A::CLASS, class).with(A::KEY_TYPE, key_type).with(value.0, value.1)
}

/// The known signature verifies with the known public key, and so does one by the known private key, whose public key info
/// is the same.
fn signs(caller: &Caller<'_>, pair: (ObjectId, ObjectId), record: &Known, mechanism: &Mechanism) -> Vec<u8> {
    let (public, private) = pair;
    let (text, made) = (record.bytes("text"), record.bytes("made"));
    caller.verify_by(public, mechanism, &text, &made).unwrap();
    let own = caller.sign_by(private, mechanism, &text).unwrap();
    caller.verify_by(public, mechanism, &text, &own).unwrap();
    let info = |object| caller.call(&AttributesRead { object, kinds: vec![A::PUBLIC_KEY_INFO] }).unwrap().values;
    assert!(info(public) == info(private) && info(public).len() == 1);
    own
}

#[test]
fn curve_signatures_are_those_of_others() {
    on_compatible(|caller| {
        for record in known("ecdsa") {
            let params = match record.word("curve") {
                "256" => P256,
                "384" => P384,
                _ => P521,
            };
            let public = half(class::PUBLIC_KEY, K::EC, (A::EC_POINT, record.bytes("public")));
            let private = half(class::PRIVATE_KEY, K::EC, (A::VALUE, record.bytes("secret")));
            let [public, private] = [public, private].map(|t| caller.import(t.with(A::EC_PARAMS, params)).unwrap());
            signs(caller, (public, private), &record, &M::ECDSA.into());
        }
        for record in known("eddsa") {
            let public = half(class::PUBLIC_KEY, K::EC_EDWARDS, (A::EC_POINT, record.bytes("public")));
            let private = half(class::PRIVATE_KEY, K::EC_EDWARDS, (A::VALUE, record.bytes("secret")));
            let [public, private] = [public, private].map(|t| caller.import(t.with(A::EC_PARAMS, ED25519)).unwrap());
            let own = signs(caller, (public, private), &record, &M::EDDSA.into());
            assert_eq!(own, record.bytes("made"), "Ed25519 is deterministic");
        }
    });
}

#[test]
fn ml_dsa_signatures_are_those_of_others() {
    on_compatible(|caller| {
        for record in known("ml-dsa") {
            let set = match record.word("set") {
                "44" => parameter_set::ML_DSA_44,
                "65" => parameter_set::ML_DSA_65,
                _ => parameter_set::ML_DSA_87,
            };
            let secret = record.bytes("secret");
            let part = if secret.len() == 32 { A::SEED } else { A::VALUE };
            let public = half(class::PUBLIC_KEY, K::ML_DSA, (A::VALUE, record.bytes("public")));
            let private = half(class::PRIVATE_KEY, K::ML_DSA, (part, secret));
            let [public, private] = [public, private].map(|t| caller.import(t.with(A::PARAMETER_SET, set)).unwrap());
            let params = MlDsaParams { context: record.bytes("context"), hash: None };
            signs(caller, (public, private), &record, &Mechanism::with(M::ML_DSA, Parameter::MlDsa(params)));
        }
    });
}

fn rsa_public(record: &Known) -> Template {
    half(class::PUBLIC_KEY, K::RSA, (A::MODULUS, record.bytes("modulus")))
        .with(A::PUBLIC_EXPONENT, record.bytes("exponent"))
}

#[test]
fn rsa_answers_are_those_of_others() {
    on_compatible(|caller| {
        let record = &known("rsa")[0];
        let parts = [
            (A::PUBLIC_EXPONENT, "exponent"),
            (A::PRIVATE_EXPONENT, "private"),
            (A::PRIME_1, "prime1"),
            (A::PRIME_2, "prime2"),
            (A::EXPONENT_1, "exponent1"),
            (A::EXPONENT_2, "exponent2"),
            (A::COEFFICIENT, "coefficient"),
        ];
        let private = half(class::PRIVATE_KEY, K::RSA, (A::MODULUS, record.bytes("modulus")));
        let private = parts.iter().fold(private, |t, (kind, name)| t.with(*kind, record.bytes(name)));
        let private = caller.import(private.with(A::SIGN, true).with(A::DECRYPT, true)).unwrap();
        let public = caller.import(rsa_public(record)).unwrap();
        let digest = record.bytes("digest");
        let pkcs1 = caller.sign(private, M::SHA256_RSA_PKCS, &digest).unwrap();
        assert_eq!(pkcs1, record.bytes("pkcs1"));
        caller.verify(public, M::SHA256_RSA_PKCS, &digest, &pkcs1).unwrap();
        let params = PssParams { hash: M::SHA256, mgf: M::SHA256, salt: 32 };
        let pss = Mechanism::with(M::RSA_PKCS_PSS, Parameter::Pss(params));
        caller.verify_by(public, &pss, &digest, &record.bytes("pss")).unwrap();
        let params = OaepParams { hash: M::SHA256, mgf: M::SHA256, label: vec![] };
        let oaep = Mechanism::with(M::RSA_PKCS_OAEP, Parameter::Oaep(params));
        assert_eq!(caller.decrypt(private, &oaep, &record.bytes("oaep")).unwrap(), record.bytes("text"));
        for record in known("rsa-verify") {
            let public = caller.import(rsa_public(&record)).unwrap();
            let [.., kind] = hashed(record.word("hash"));
            caller.verify(public, kind, &record.bytes("digest"), &record.bytes("made")).unwrap();
        }
    });
}
