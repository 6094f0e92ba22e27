//! The known attacks on key management interfaces (Bond, Clulow; Bortolozzo and others, "Attacking and Fixing PKCS#11
//! Security Tokens"), carried out by a user who wants the value of a key that is hidden from him. Where a compatible
//! partition lets an attack through, as the standard does, the test shows that too, so that the others are seen to work
//! (R9, R13).

mod rig;

use coloa_crypto_native::Native;
use coloa_engine::crypto::{AeadMode, Mode, Padding};
use coloa_engine::{Aead, Crypto, Hash, KeyKind, PairKind};
use coloa_store_testkit::RamStore;
use coloa_wire::attribute::{class, key_type, parameter_set};
use coloa_wire::command::*;
use coloa_wire::mechanism::{CounterKdfParams, EcdhParams, HkdfParams, KdfField, KdfNumber, Password, Pbkdf2Params};
use coloa_wire::{AttributeType as A, ErrorCode, Mechanism, MechanismType as M, ObjectId, Parameter, Template, Value};
use rig::*;

/// Ways to wrap under an AES key.
fn aes_ways() -> [Mechanism; 5] {
    [M::AES_KEY_WRAP.into(), kwp(), M::AES_KEY_WRAP_PAD.into(), gcm(None), cbc_pad(None)]
}

/// What an attacker with a key-encryption key of known value makes of a wrapped key.
fn unwrapped_outside(kek: &[u8], mut wrapped: Vec<u8>) -> Vec<u8> {
    let key = Native.load(KeyKind::Aes, kek).unwrap();
    Native.decrypt(&key, Mode::Kwp, &mut wrapped).unwrap();
    wrapped
}

/// Whether two keys of a session have the same value: what one encrypts the other decrypts.
fn same_key(caller: &Caller<'_>, one: ObjectId, value: &[u8]) -> bool {
    let (reply, mut sealed) = caller.call_with(&Encrypt { key: one, mechanism: gcm(None) }, b"text").unwrap();
    let key = Native.load(KeyKind::Aes, value).unwrap();
    let aead = Aead { mode: AeadMode::Gcm, iv: &reply.iv.unwrap(), aad: b"aad", tag: 16 };
    Native.open(&key, &aead, &mut sealed).is_ok()
}

/// Clulow 2003: wrap the key, then decrypt what came out as if it were data.
#[test]
fn wrap_then_decrypt() {
    let engine = start(&RamStore::new()).unwrap();
    for mode in BOTH {
        let partition = token(&engine, mode);
        let caller = user(&engine, partition);
        let hidden = treasure(&caller);
        let kek = caller.kek(Template::default());
        trust(&engine, partition, kek).unwrap();
        // A trusted key does nothing but wrap and unwrap, whoever asks for more and however.
        for purpose in [A::DECRYPT, A::ENCRYPT, A::DERIVE, A::SIGN] {
            let more = Template::default().with(purpose, true);
            assert_eq!(caller.write(kek, more.clone()).err(), Some(ErrorCode::TemplateInconsistent));
            assert_eq!(caller.copy(kek, more.clone()).err(), Some(ErrorCode::TemplateInconsistent));
        }
        for mechanism in aes_ways() {
            let Ok((iv, wrapped)) = caller.wrap_with_iv(kek, &mechanism, hidden) else { continue };
            let ways = [
                gcm(iv.as_deref()),
                cbc_pad(iv.as_deref()),
                M::AES_ECB.into(),
                Mechanism::with(M::AES_CBC, Parameter::Iv(iv.clone())),
            ];
            for decrypts in ways {
                assert!(caller.call_with(&Decrypt { key: kek, mechanism: decrypts, ticket: None }, &wrapped).is_err());
            }
        }
        // A key that decrypts is no key to wrap with: not on a strict partition, and never a trusted one.
        let both = Template::default().with(A::TOKEN, true).with(A::PRIVATE, false);
        match caller.generate_aes(joined(both, yes(&[A::WRAP, A::DECRYPT]))) {
            Err(error) => assert_eq!((mode, error), (PartitionMode::Strict, ErrorCode::TemplateInconsistent)),
            Ok(both) => {
                assert_eq!(trust(&engine, partition, both).err(), Some(ErrorCode::TemplateInconsistent));
                assert_eq!(caller.wrap(both, &gcm(None), hidden), Err(ErrorCode::KeyNotWrappable));
                // The attack itself works on a key that nothing protects.
                let open = caller.generate_aes(yes(&[A::EXTRACTABLE, A::ENCRYPT])).unwrap();
                let (iv, wrapped) = caller.wrap_with_iv(both, &gcm(None), open).unwrap();
                let request = Decrypt { key: both, mechanism: gcm(iv.as_deref()), ticket: None };
                assert!(same_key(&caller, open, &caller.call_with(&request, &wrapped).unwrap().1));
            }
        }
    }
}

/// A wrapping key whose value the attacker knows, however it got in.
#[test]
fn a_known_wrapping_key() {
    let engine = start(&RamStore::new()).unwrap();
    for mode in BOTH {
        let partition = token(&engine, mode);
        let caller = user(&engine, partition);
        let hidden = treasure(&caller);
        let mut got = Vec::new();
        for kek in known_keks(&engine, &caller, partition) {
            // A strict partition does not even make it a wrapping key.
            assert_eq!(kek.is_err(), mode == PartitionMode::Strict);
            let wrapped = kek.and_then(|(kek, value)| {
                let marked = trust(&engine, partition, kek);
                assert!(marked.is_err(), "the SO cannot trust what others may know");
                Ok((value, caller.wrap(kek, &kwp(), hidden)?))
            });
            got.push(wrapped.map(|(value, wrapped)| unwrapped_outside(&value, wrapped)));
        }
        assert!(got.len() == 6 && got.iter().all(Result::is_err));
        if mode == PartitionMode::Compatible {
            assert!(got.iter().all(|outcome| *outcome == Err(ErrorCode::KeyNotWrappable)), "{got:?}");
            let open = caller.generate_aes(yes(&[A::EXTRACTABLE, A::ENCRYPT])).unwrap();
            for kek in known_keks(&engine, &caller, partition) {
                let (kek, value) = kek.unwrap();
                let wrapped = caller.wrap(kek, &kwp(), open).unwrap();
                assert!(same_key(&caller, open, &unwrapped_outside(&value, wrapped)), "a key that nothing protects");
            }
        }
    }
}

type Known = Result<(ObjectId, Vec<u8>), ErrorCode>;

/// Every way to put a known value into a wrapping key.
fn known_keks(engine: &RamEngine, caller: &Caller<'_>, partition: coloa_wire::PartitionId) -> Vec<Known> {
    let wraps = || aes().with(A::WRAP, true).with(A::TOKEN, true).with(A::PRIVATE, false);
    let known = vec![7; 32];
    let imported = caller.create(wraps().with(A::VALUE, known.clone())).map(|key| (key, known.clone()));
    let password = Password(b"known".to_vec());
    let params = Pbkdf2Params { prf: M::SHA256_HMAC, salt: vec![1; 16], iterations: 1000, password };
    let mechanism = Mechanism::with(M::PKCS5_PBKD2, Parameter::Pbkdf2(params));
    let template = wraps().with(A::VALUE_LEN, 32);
    let stretched = caller.call(&KeyGenerate { mechanism, template }).map(|reply| {
        let mut value = vec![0; 32];
        let kdf = coloa_engine::crypto::Kdf::Pbkdf2 { hash: Hash::Sha256, salt: &[1; 16], iterations: 1000 };
        Native.derive(b"known", kdf, &mut value).unwrap();
        (reply.object, value)
    });
    vec![
        imported,
        stretched,
        agreed(caller),
        decapsulated(caller),
        rewrapped(engine, caller, partition),
        brought(caller),
    ]
}

/// The attacker is the other side of an agreement.
fn agreed(caller: &Caller<'_>) -> Known {
    let kind = PairKind::Ec(coloa_engine::Curve::P256);
    let mine = Native.generate(kind).unwrap();
    let public = Template::default().with(A::EC_PARAMS, P256);
    let pair = caller.pair_by(M::EC_KEY_PAIR_GEN, public, yes(&[A::DERIVE])).unwrap();
    let Some(Value::Bytes(point)) = caller.shown(pair.public, A::EC_POINT) else { panic!("no point") };
    let params = EcdhParams { kdf: Some(M::SHA256), shared: vec![], public: mine.public.clone() };
    let template = aes().with(A::VALUE_LEN, 32).with(A::WRAP, true).with(A::TOKEN, true).with(A::PRIVATE, false);
    let kek = caller.derive(pair.private, Mechanism::with(M::ECDH1_DERIVE, Parameter::Ecdh(params)), template)?;
    let shared = Native.agree(&Native.load(KeyKind::Pair(kind), &mine.secret).unwrap(), &point[2..]).unwrap();
    Ok((kek, Native.digest(Hash::Sha256, &[&shared, &[0, 0, 0, 1]]).as_ref().to_vec()))
}

/// The attacker encapsulated.
fn decapsulated(caller: &Caller<'_>) -> Known {
    let public = Template::default().with(A::PARAMETER_SET, parameter_set::ML_KEM_768);
    let pair = caller.pair_by(M::ML_KEM_KEY_PAIR_GEN, public, Template::default()).unwrap();
    let Some(Value::Bytes(key)) = caller.shown(pair.public, A::VALUE) else { panic!("no key") };
    let key = Native.load_public(PairKind::MlKem(coloa_engine::crypto::MlKem::L768), &key).unwrap();
    let (ciphertext, shared) = Native.encapsulate(&key).unwrap();
    let template = aes().with(A::WRAP, true).with(A::TOKEN, true).with(A::PRIVATE, false);
    let request = KeyDecapsulate { key: pair.private, mechanism: M::ML_KEM.into(), template, ticket: None };
    Ok((caller.call_with(&request, &ciphertext)?.0.object, shared.to_vec()))
}

/// A known data key is wrapped, and comes back as a wrapping key.
fn rewrapped(engine: &RamEngine, caller: &Caller<'_>, partition: coloa_wire::PartitionId) -> Known {
    let demands = nested(yes(&[A::WRAP]));
    let kek = caller.kek(Template::default().with(A::UNWRAP_TEMPLATE, demands));
    trust(engine, partition, kek)?;
    let data = caller.create(aes().with(A::VALUE, vec![8; 32]).with(A::EXTRACTABLE, true)).unwrap();
    let wrapped = caller.wrap(kek, &kwp(), data).unwrap();
    let template = aes().with(A::TOKEN, true).with(A::PRIVATE, false);
    Ok((caller.unwrap(kek, &kwp(), &wrapped, template)?, vec![8; 32]))
}

/// The attacker encrypts for a private key that unwraps, which asks no secret of him.
fn brought(caller: &Caller<'_>) -> Known {
    let public = Template::default().with(A::MODULUS_BITS, 3072).with(A::WRAP, true);
    let private = yes(&[A::UNWRAP]).with(A::UNWRAP_TEMPLATE, nested(yes(&[A::WRAP])));
    let pair = caller.pair_by(M::RSA_PKCS_KEY_PAIR_GEN, public, private).unwrap();
    let Some(Value::Bytes(info)) = caller.shown(pair.public, A::PUBLIC_KEY_INFO) else { panic!("no key") };
    // What follows the algorithm and the bit string's head.
    let key = Native.load_public(PairKind::Rsa, &info[24..]).unwrap();
    let padding = Padding::Oaep { hash: Hash::Sha256, mgf: Hash::Sha256, label: &[] };
    let sealed = Native.rsa_encrypt(&key, padding, &[6; 32]).unwrap();
    let template = aes().with(A::TOKEN, true).with(A::PRIVATE, false);
    let by_oaep = Mechanism::with(M::RSA_PKCS_OAEP, Parameter::Oaep(oaep()));
    Ok((caller.unwrap(pair.private, &by_oaep, &sealed, template)?, vec![6; 32]))
}

/// The key goes out honestly and comes back with other attributes.
#[test]
fn unwrap_with_changed_attributes() {
    let engine = start(&RamStore::new()).unwrap();
    for mode in BOTH {
        let partition = token(&engine, mode);
        let caller = user(&engine, partition);
        let hidden = treasure(&caller);
        let kek = caller.kek(Template::default());
        trust(&engine, partition, kek).unwrap();
        let wrapped = caller.wrap(kek, &kwp(), hidden).unwrap();
        let back = |template: Template| caller.unwrap(kek, &kwp(), &wrapped, joined(aes(), template));
        let inconsistent = Err(ErrorCode::TemplateInconsistent);
        assert_eq!(back(Template::default().with(A::SENSITIVE, false)), inconsistent);
        assert_eq!(back(Template::default().with(A::WRAP_WITH_TRUSTED, false)), inconsistent);
        assert_eq!(back(yes(&[A::TRUSTED])).err(), Some(ErrorCode::AttributeReadOnly));
        if mode == PartitionMode::Strict {
            assert_eq!(back(yes(&[A::EXTRACTABLE])), inconsistent);
            for purpose in [A::SIGN, A::VERIFY, A::WRAP, A::UNWRAP, A::DERIVE] {
                assert_eq!(back(yes(&[purpose])), inconsistent);
            }
            // Nor does it come back as a key of another type, which is for something else.
            for kind in [key_type::HKDF, key_type::GENERIC_SECRET, key_type::SHA256_HMAC, key_type::AES_XTS] {
                assert_eq!(caller.unwrap(kek, &kwp(), &wrapped, of_class(class::SECRET_KEY, kind)), inconsistent);
            }
        }
        // Whatever comes back is hidden, and leaves under trusted keys only.
        let again = back(Template::default()).unwrap();
        assert_eq!(caller.value(again), None);
        for (kind, value) in [(A::SENSITIVE, false), (A::WRAP_WITH_TRUSTED, false), (A::EXTRACTABLE, true)] {
            let change = Template::default().with(kind, value);
            let was = caller.flag(again, kind);
            assert!(was == value || caller.write(again, change.clone()).is_err());
            assert!(was == value || caller.copy(again, change).is_err());
        }
        let mine = caller.kek(Template::default());
        assert!(caller.wrap(mine, &kwp(), again).is_err());
    }
}

/// A copy is a key as well protected as the original.
#[test]
fn copies_that_lose_sensitivity() {
    let engine = start(&RamStore::new()).unwrap();
    for mode in BOTH {
        let caller = user(&engine, token(&engine, mode));
        let hidden = treasure(&caller);
        let shut = caller.generate_aes(yes(&[A::ENCRYPT])).unwrap();
        let changes = [
            (hidden, A::SENSITIVE, false),
            (hidden, A::WRAP_WITH_TRUSTED, false),
            (shut, A::EXTRACTABLE, true),
            (shut, A::SENSITIVE, false),
            (shut, A::ALWAYS_SENSITIVE, false),
            (shut, A::NEVER_EXTRACTABLE, false),
            (shut, A::PRIVATE, false),
            (shut, A::TRUSTED, true),
        ];
        for (key, kind, value) in changes {
            let template = || Template::default().with(kind, value);
            assert_eq!(caller.copy(key, template()).err(), Some(ErrorCode::AttributeReadOnly), "{kind:?}");
            assert_eq!(caller.write(key, template()).err(), Some(ErrorCode::AttributeReadOnly), "{kind:?}");
        }
        let copy = caller.copy(hidden, Template::default()).unwrap();
        assert_eq!((caller.value(copy), caller.value(hidden)), (None, None));
        assert!(caller.wrap(caller.kek(Template::default()), &kwp(), copy).is_err());
        if mode == PartitionMode::Strict {
            let other = caller.copy(hidden, yes(&[A::WRAP]));
            assert_eq!(other, Err(ErrorCode::TemplateInconsistent), "a DEK becomes no KEK");
        }
    }
}

/// The attacker makes the key pair, and brings only the public half.
#[test]
fn wrap_under_the_attackers_public_key() {
    let engine = start(&RamStore::new()).unwrap();
    let mine = Native.generate_rsa(3072).unwrap();
    let private = Native.load(KeyKind::Pair(PairKind::Rsa), &mine.secret).unwrap();
    for mode in BOTH {
        let caller = user(&engine, token(&engine, mode));
        let hidden = treasure(&caller);
        let template = || {
            let parts = rsa_parts(&mine.public);
            let template = of_class(class::PUBLIC_KEY, key_type::RSA).with(A::WRAP, true);
            template.with(A::MODULUS, parts.0).with(A::PUBLIC_EXPONENT, parts.1)
        };
        assert_eq!(caller.create(template().with(A::TRUSTED, true)), Err(ErrorCode::AttributeReadOnly));
        let public = caller.create(template()).unwrap();
        assert_eq!(caller.write(public, yes(&[A::TRUSTED])).err(), Some(ErrorCode::AttributeReadOnly));
        let by_oaep = Mechanism::with(M::RSA_PKCS_OAEP, Parameter::Oaep(oaep()));
        for mechanism in [by_oaep.clone(), rsa_aes(), M::RSA_PKCS.into()] {
            let refused = caller.wrap(public, &mechanism, hidden).unwrap_err();
            assert!(matches!(refused, ErrorCode::KeyNotWrappable | ErrorCode::MechanismForbidden), "{refused:?}");
        }
        let open = caller.generate_aes(yes(&[A::EXTRACTABLE, A::ENCRYPT])).unwrap();
        match caller.wrap(public, &by_oaep, open) {
            Err(error) => assert_eq!((mode, error), (PartitionMode::Strict, ErrorCode::KeyNotWrappable)),
            Ok(wrapped) => {
                let padding = Padding::Oaep { hash: Hash::Sha256, mgf: Hash::Sha256, label: &[] };
                let value = Native.rsa_decrypt(&private, padding, &wrapped).unwrap();
                assert!(same_key(&caller, open, &value), "a key that nothing protects");
            }
        }
    }
}

/// Modulus and exponent of a DER `RSAPublicKey` with a modulus of 3072 bits and the exponent 65537.
fn rsa_parts(public: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let exponent = public.len() - 3;
    (public[exponent - 2 - 384..exponent - 2].to_vec(), public[exponent..].to_vec())
}

/// Short keys from a common secret tell it byte by byte: each is found by trying, the next is one byte longer.
#[test]
fn derives_of_a_byte_at_a_time() {
    let engine = start(&RamStore::new()).unwrap();
    for mode in BOTH {
        let caller = user(&engine, token(&engine, mode));
        let template = Template::default().with(A::VALUE_LEN, 32).with(A::DERIVE, true);
        let generate = KeyGenerate { mechanism: M::GENERIC_SECRET_KEY_GEN.into(), template };
        let secret = caller.call(&generate).unwrap().object;
        let public = Template::default().with(A::EC_PARAMS, P256);
        let pair = caller.pair_by(M::EC_KEY_PAIR_GEN, public, yes(&[A::DERIVE])).unwrap();
        let Some(Value::Bytes(point)) = caller.shown(pair.public, A::EC_POINT) else { panic!("no point") };
        let agree = |kdf| {
            let params = EcdhParams { kdf, shared: vec![], public: point.clone() };
            Mechanism::with(M::ECDH1_DERIVE, Parameter::Ecdh(params))
        };
        let number = KdfNumber { bits: 8, little_endian: false };
        let fields = vec![KdfField::Counter(number)];
        let counter = CounterKdfParams { prf: M::SHA256_HMAC, fields };
        let (salt, info) = (None, vec![]);
        let hkdf = HkdfParams { extract: true, expand: true, hash: M::SHA256, salt, salt_key: None, info };
        let ways = [
            (pair.private, agree(None)),
            (pair.private, agree(Some(M::SHA256))),
            (secret, Mechanism::with(M::HKDF_DERIVE, Parameter::Hkdf(hkdf))),
            (secret, Mechanism::with(M::SP800_108_COUNTER_KDF, Parameter::CounterKdf(counter))),
        ];
        let least = if mode == PartitionMode::Strict { 16 } else { 14 };
        for (base, mechanism) in ways {
            for length in 0..least {
                let template = of_class(class::SECRET_KEY, key_type::GENERIC_SECRET).with(A::VALUE_LEN, length);
                let short = caller.derive(base, mechanism.clone(), template.with(A::SIGN, true));
                assert_eq!(short, Err(ErrorCode::KeySize), "{length}");
            }
            if mode == PartitionMode::Strict {
                // What comes out is hidden, whole, and never a key that wraps.
                let template = open_secret(key_type::GENERIC_SECRET).with(A::VALUE_LEN, 32);
                assert!(caller.derive(base, mechanism.clone(), template).is_err());
                let bare = of_class(class::SECRET_KEY, key_type::GENERIC_SECRET).with(A::VALUE_LEN, 32);
                let bare = caller.derive(base, mechanism.clone(), bare.with(A::SENSITIVE, false));
                assert_eq!(bare, Err(ErrorCode::TemplateInconsistent), "what stays in is sensitive all the same");
                let wraps = aes().with(A::VALUE_LEN, 32).with(A::WRAP, true);
                assert!(caller.derive(base, mechanism.clone(), wraps).is_err());
            }
        }
        if mode == PartitionMode::Strict {
            let cut = of_class(class::SECRET_KEY, key_type::GENERIC_SECRET).with(A::VALUE_LEN, 31);
            assert_eq!(caller.derive(pair.private, agree(None), cut), Err(ErrorCode::KeySize));
            let signs = of_class(class::SECRET_KEY, key_type::GENERIC_SECRET).with(A::SIGN, true);
            assert!(caller.derive(pair.private, agree(None), signs).is_err(), "a bare shared secret only derives");
        }
    }
}
