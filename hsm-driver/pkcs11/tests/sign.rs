//! Signatures and MACs, judged by OpenSSL and by the engine itself.

#[macro_use]
mod rig;

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use rig::{P256, P384, Token, key_pair, run};

const MESSAGE: &[u8] = b"van ban can ky";

/// ECDSA signatures as X9.62 wants them: DER SEQUENCE of two INTEGERs.
fn der(signature: &[u8]) -> Vec<u8> {
    let integer = |half: &[u8]| {
        let start = half.iter().position(|b| *b != 0).unwrap_or(half.len() - 1);
        let mut value = half[start..].to_vec();
        if value[0] & 0x80 != 0 {
            value.insert(0, 0);
        }
        [&[0x02, value.len() as u8], &value[..]].concat()
    };
    let (r, s) = signature.split_at(signature.len() / 2);
    let body = [integer(r), integer(s)].concat();
    match body.len() {
        short @ 0..128 => [&[0x30, short as u8], &body[..]].concat(),
        long => [&[0x30, 0x81, long as u8], &body[..]].concat(),
    }
}

fn public_key_info(session: &Session, key: ObjectHandle) -> Vec<u8> {
    match &session.get_attributes(key, &[AttributeType::PublicKeyInfo]).unwrap()[..] {
        [Attribute::PublicKeyInfo(info)] => info.clone(),
        other => panic!("no CKA_PUBLIC_KEY_INFO: {other:?}"),
    }
}

fn openssl_verifies(token: &Token, session: &Session, public: ObjectHandle, hash: &str, signature: &[u8]) {
    let directory = token.rig.directory.path();
    std::fs::write(directory.join("public.der"), public_key_info(session, public)).unwrap();
    std::fs::write(directory.join("message"), MESSAGE).unwrap();
    std::fs::write(directory.join("signature"), der(signature)).unwrap();
    let verify = ["dgst", hash, "-verify", "public.der", "-keyform", "DER", "-signature", "signature", "message"];
    assert!(run("openssl", &verify, directory).contains("Verified OK"));
}

#[test]
fn openssl_verifies_what_was_signed_at_once_and_in_parts() {
    let token = Token::new("strict");
    let session = token.user();
    for (curve, mechanism, hash) in [
        (P256, Mechanism::EcdsaSha256, "-sha256"),
        (P384, Mechanism::EcdsaSha384, "-sha384"),
        (P384, Mechanism::EcdsaSha512, "-sha512"),
    ] {
        let (public, private) = key_pair(&session, curve, false);
        let at_once = session.sign(&mechanism, private, MESSAGE).unwrap();
        openssl_verifies(&token, &session, public, hash, &at_once);
        session.sign_init(&mechanism, private).unwrap();
        MESSAGE.chunks(5).for_each(|part| session.sign_update(part).unwrap());
        let in_parts = session.sign_final().unwrap();
        openssl_verifies(&token, &session, public, hash, &in_parts);
        session.verify(&mechanism, public, MESSAGE, &in_parts).unwrap();
    }
}

#[test]
fn openssl_verifies_rsa_ed25519_and_p521() {
    use cryptoki_sys::*;
    use rig::c::*;
    let rig = rig::Rig::new("compatible");
    let s = set_up();
    let directory = rig.directory.path();
    std::fs::write(directory.join("message"), MESSAGE).unwrap();
    let (signs, verifies) = (Attributes::new().yes(&[CKA_SIGN]), Attributes::new().yes(&[CKA_VERIFY]));
    let pair = |kind, public| generate_pair(s, kind, public, signs.clone()).unwrap();
    let rsa = pair(CKM_RSA_PKCS_KEY_PAIR_GEN, verifies.clone().number(CKA_MODULUS_BITS, 2048));
    let p521 = pair(CKM_EC_KEY_PAIR_GEN, verifies.clone().bytes(CKA_EC_PARAMS, &[6, 5, 0x2b, 0x81, 4, 0, 0x23]));
    let ed = pair(CKM_EC_EDWARDS_KEY_PAIR_GEN, verifies.bytes(CKA_EC_PARAMS, &[6, 3, 0x2b, 0x65, 0x70]));
    let mut pss = CK_RSA_PKCS_PSS_PARAMS { hashAlg: CKM_SHA384, mgf: CKG_MGF1_SHA256, sLen: 40 };
    let pss_options = [
        "-sha384",
        "-sigopt",
        "rsa_padding_mode:pss",
        "-sigopt",
        "rsa_mgf1_md:sha256",
        "-sigopt",
        "rsa_pss_saltlen:40",
    ];
    let cases: [(CK_MECHANISM, _, &[&str]); 7] = [
        (mechanism(CKM_SHA256_RSA_PKCS), rsa, &["-sha256"]),
        (mechanism(CKM_SHA3_384_RSA_PKCS), rsa, &["-sha3-384"]),
        (with(CKM_SHA384_RSA_PKCS_PSS, &mut pss), rsa, &pss_options),
        (mechanism(CKM_ECDSA_SHA512), p521, &["-sha512"]),
        (mechanism(CKM_ECDSA_SHA3_224), p521, &["-sha3-224"]),
        (mechanism(CKM_ECDSA_SHA1), p521, &["-sha1"]),
        (mechanism(CKM_EDDSA), ed, &["-rawin"]),
    ];
    for (how, (public, private), options) in cases {
        let signature = sign(s, how, private, MESSAGE).unwrap();
        let ecdsa = matches!(how.mechanism, CKM_ECDSA_SHA512 | CKM_ECDSA_SHA3_224 | CKM_ECDSA_SHA1);
        std::fs::write(directory.join("signature"), if ecdsa { der(&signature) } else { signature }).unwrap();
        std::fs::write(directory.join("public.der"), value(s, public, CKA_PUBLIC_KEY_INFO).unwrap()).unwrap();
        let said = if how.mechanism == CKM_EDDSA {
            let verify = ["pkeyutl", "-verify", "-pubin", "-inkey", "public.der", "-keyform", "DER"];
            run("openssl", &[&verify[..], options, &["-in", "message", "-sigfile", "signature"]].concat(), directory)
        } else {
            let verify = ["-verify", "public.der", "-keyform", "DER", "-signature", "signature", "message"];
            run("openssl", &[&["dgst"], options, &verify[..]].concat(), directory)
        };
        assert!(said.contains("Verified"), "{:#x}: {said}", how.mechanism);
    }
    finalize();
}

#[test]
fn plain_ecdsa_signs_a_digest() {
    let token = Token::new("strict");
    let session = token.user();
    let (public, private) = key_pair(&session, P256, false);
    let digest = session.digest(&Mechanism::Sha256, MESSAGE).unwrap();
    let signature = session.sign(&Mechanism::Ecdsa, private, &digest).unwrap();
    openssl_verifies(&token, &session, public, "-sha256", &signature);
}

#[test]
fn a_changed_message_or_signature_is_refused() {
    let token = Token::new("strict");
    let session = token.user();
    let (public, private) = key_pair(&session, P256, false);
    let mut signature = session.sign(&Mechanism::EcdsaSha256, private, MESSAGE).unwrap();
    let refused = |outcome| matches!(outcome, Err(Error::Pkcs11(RvError::SignatureInvalid, _)));
    assert!(refused(session.verify(&Mechanism::EcdsaSha256, public, b"another", &signature)));
    signature[40] ^= 1;
    assert!(refused(session.verify(&Mechanism::EcdsaSha256, public, MESSAGE, &signature)));
    let short = session.verify(&Mechanism::EcdsaSha256, public, MESSAGE, &signature[1..]);
    assert!(matches!(short, Err(Error::Pkcs11(RvError::SignatureLenRange, _))), "{short:?}");
    session.verify_init(&Mechanism::EcdsaSha256, public).expect("a failed verification ends the operation");
}

#[test]
fn a_mac_is_openssls() {
    let token = Token::new("compatible");
    let session = token.user();
    let secret = b"sixteen byte key";
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::GENERIC_SECRET),
        Attribute::Value(secret.to_vec()),
        Attribute::Sign(true),
        Attribute::Verify(true),
    ];
    let key = session.create_object(&template).unwrap();
    let directory = token.rig.directory.path();
    std::fs::write(directory.join("message"), MESSAGE).unwrap();
    for (mechanism, hash) in [(Mechanism::Sha256Hmac, "-sha256"), (Mechanism::Sha512Hmac, "-sha512")] {
        let mac = session.sign(&mechanism, key, MESSAGE).unwrap();
        let hex: String = mac.iter().map(|b| format!("{b:02x}")).collect();
        let theirs = run("openssl", &["dgst", hash, "-hmac", "sixteen byte key", "message"], directory);
        assert!(theirs.trim().ends_with(&hex), "{theirs} is not {hex}");
        session.sign_init(&mechanism, key).unwrap();
        MESSAGE.chunks(3).for_each(|part| session.sign_update(part).unwrap());
        assert_eq!(session.sign_final().unwrap(), mac);
        session.verify(&mechanism, key, MESSAGE, &mac).unwrap();
    }
}

#[test]
fn a_key_does_what_it_was_made_for_only() {
    let token = Token::new("strict");
    let session = token.user();
    let (public, private) = key_pair(&session, P256, false);
    let aes = rig::aes_key(&session);
    let refusal = |outcome: cryptoki::error::Result<()>| match outcome {
        Err(Error::Pkcs11(rv, _)) => rv,
        other => panic!("{other:?}"),
    };
    assert_eq!(refusal(session.sign_init(&Mechanism::EcdsaSha256, aes)), RvError::KeyTypeInconsistent);
    assert_eq!(refusal(session.sign_init(&Mechanism::EcdsaSha256, public)), RvError::KeyTypeInconsistent);
    assert_eq!(refusal(session.verify_init(&Mechanism::EcdsaSha256, private)), RvError::KeyTypeInconsistent);
    assert_eq!(refusal(session.sign_init(&Mechanism::Sha256, private)), RvError::MechanismInvalid);
}

#[test]
fn many_threads_sign_at_once() {
    let token = Token::new("strict");
    let session = token.user();
    let (public, private) = key_pair(&session, P256, true);
    std::thread::scope(|scope| {
        for worker in 0..8_u8 {
            let (module, slot) = (token.module.clone(), token.slot);
            scope.spawn(move || {
                let session = module.open_ro_session(slot).unwrap();
                for round in 0..20_u8 {
                    let message = [worker, round];
                    let signature = session.sign(&Mechanism::EcdsaSha256, private, &message).unwrap();
                    session.verify(&Mechanism::EcdsaSha256, public, &message, &signature).unwrap();
                }
            });
        }
    });
}
