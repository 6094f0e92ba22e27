//! Keys are made, used, found and kept; nothing secret comes out.

mod rig;

use coloa_store_testkit::RamStore;
use coloa_wire::attribute::{class, key_type};
use coloa_wire::command::*;
use coloa_wire::{AttributeType as A, ErrorCode, MechanismType as M, Template, Value};
use rig::*;

#[test]
fn a_signature_verifies_and_survives_a_restart() {
    let store = RamStore::new();
    let engine = start(&store).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let caller = user(&engine, partition);
    for (params, digest) in [(P256, [5u8; 32].as_slice()), (P384, &[6; 48])] {
        let pair = caller.generate_ec(params, "k", true).unwrap();
        let signature = caller.sign(pair.private, M::ECDSA, digest).unwrap();
        caller.verify(pair.public, M::ECDSA, digest, &signature).unwrap();
        let restarted = start(&store).unwrap();
        let again = user(&restarted, partition);
        again.verify(pair.public, M::ECDSA, digest, &signature).unwrap();
        let fresh = again.sign(pair.private, M::ECDSA, digest).unwrap();
        again.verify(pair.public, M::ECDSA, digest, &fresh).unwrap();
        let refused = again.verify(pair.public, M::ECDSA, &[9; 32], &signature);
        assert_eq!(refused.unwrap_err(), ErrorCode::SignatureInvalid);
    }
}

#[test]
fn a_digest_has_the_length_its_mechanism_says() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Strict));
    let pair = caller.generate_ec(P256, "k", false).unwrap();
    assert_eq!(caller.sign(pair.private, M::ECDSA_SHA256, &[1; 31]).unwrap_err(), ErrorCode::DataLength);
    assert_eq!(caller.sign(pair.private, M::ECDSA, &[1; 19]).unwrap_err(), ErrorCode::DataLength);
    assert_eq!(caller.sign(pair.private, M::ECDSA, &[1; 65]).unwrap_err(), ErrorCode::DataLength);
    assert_eq!(caller.sign(pair.private, M::ECDSA_SHA384, &[1; 48]).unwrap().len(), 64);
}

#[test]
fn a_strict_partition_makes_its_own_ivs() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Strict));
    let key = caller.generate_aes(Template::default()).unwrap();
    let chosen = caller.call_with(&Encrypt { key, mechanism: gcm(Some(&[0; 12])) }, b"text");
    assert_eq!(chosen.err(), Some(ErrorCode::MechanismParameter));
    let (reply, sealed) = caller.call_with(&Encrypt { key, mechanism: gcm(None) }, b"text").unwrap();
    let (second, _) = caller.call_with(&Encrypt { key, mechanism: gcm(None) }, b"text").unwrap();
    assert_ne!(reply.iv, second.iv);
    let mechanism = gcm(reply.iv.as_deref());
    let (_, text) = caller.call_with(&Decrypt { key, mechanism: mechanism.clone(), ticket: None }, &sealed).unwrap();
    assert_eq!(text, b"text");
    let mut forged = sealed;
    forged[0] ^= 1;
    assert_eq!(
        caller.call_with(&Decrypt { key, mechanism, ticket: None }, &forged).err(),
        Some(ErrorCode::DecryptionFailed)
    );
}

#[test]
fn a_compatible_partition_takes_the_callers_iv() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Compatible));
    let key = caller.generate_aes(Template::default()).unwrap();
    let (reply, sealed) = caller.call_with(&Encrypt { key, mechanism: gcm(Some(&[3; 12])) }, b"text").unwrap();
    assert_eq!((reply.iv, sealed.len()), (None, 4 + 16));
}

#[test]
fn a_secret_is_never_readable_on_a_strict_partition() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Strict));
    let naked = Template::default().with(A::SENSITIVE, false).with(A::EXTRACTABLE, true);
    assert_eq!(caller.generate_aes(naked).err(), Some(ErrorCode::TemplateInconsistent));
    let key = caller.generate_aes(Template::default().with(A::LABEL, &b"k"[..])).unwrap();
    let read = |object| caller.call(&AttributesRead { object, kinds: vec![A::VALUE, A::SENSITIVE] }).unwrap();
    assert_eq!(read(key).sensitive, [A::VALUE]);
    assert!(read(key).values.iter().all(|a| a.kind == A::SENSITIVE && a.value == Value::Bool(true)));
    let weaken = |kind, value: bool| {
        let template = Template::default().with(kind, value);
        let copied = caller.call(&ObjectCopy { object: key, template: template.clone() }).err();
        (copied, caller.call(&AttributesWrite { object: key, template }).err())
    };
    let refused = Some(ErrorCode::AttributeReadOnly);
    assert_eq!(weaken(A::SENSITIVE, false), (refused, refused));
    assert_eq!(weaken(A::EXTRACTABLE, true), (refused, refused));
    assert_eq!(weaken(A::PRIVATE, false), (refused, refused));
}

#[test]
fn a_key_has_one_purpose_on_a_strict_partition() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Strict));
    let both = Template::default().with(A::WRAP, true).with(A::DECRYPT, true);
    assert_eq!(caller.generate_aes(both).err(), Some(ErrorCode::TemplateInconsistent));
    let wrapper = Template::default().with(A::WRAP, true);
    let key = caller.generate_aes(wrapper).unwrap();
    let template = Template::default().with(A::DECRYPT, true);
    let widened = caller.call(&AttributesWrite { object: key, template });
    assert_eq!(widened.err(), Some(ErrorCode::TemplateInconsistent));
    let known = secret_template(key_type::AES, &[1; 32]).with(A::UNWRAP, true);
    assert_eq!(caller.call(&ObjectCreate { template: known }).err(), Some(ErrorCode::TemplateInconsistent));
}

#[test]
fn a_key_is_used_only_as_its_attributes_say() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Strict));
    let template = hmac_template(b"0123456789abcdef").with(A::ALLOWED_MECHANISMS, Value::Uints(vec![0x251]));
    let key = caller.call(&ObjectCreate { template }).unwrap().object;
    let mac = caller.sign(key, M::SHA256_HMAC, b"data").unwrap();
    caller.verify(key, M::SHA256_HMAC, b"data", &mac).unwrap();
    assert_eq!(caller.sign(key, M::SHA512_HMAC, b"data").err(), Some(ErrorCode::KeyUseForbidden));
    assert_eq!(caller.sign(key, M::ECDSA, &[0; 32]).err(), Some(ErrorCode::KeyTypeInconsistent));
    let wrong = caller.verify(key, M::SHA256_HMAC, b"other", &mac);
    assert_eq!(wrong.err(), Some(ErrorCode::SignatureInvalid));
    let pair = caller.generate_ec(P256, "k", false).unwrap();
    assert_eq!(caller.sign(pair.public, M::ECDSA, &[0; 32]).err(), Some(ErrorCode::KeyTypeInconsistent));
}

#[test]
fn private_objects_are_invisible_without_the_user() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let caller = user(&engine, partition);
    let pair = caller.generate_ec(P256, "k", true).unwrap();
    let mut stranger = Caller::new(&engine, client(1));
    stranger.open(partition).unwrap();
    assert_eq!(stranger.find(Template::default()), [pair.public]);
    assert_eq!(stranger.sign(pair.private, M::ECDSA, &[0; 32]).err(), Some(ErrorCode::ObjectUnknown));
    stranger.log_in(Role::SecurityOfficer, SO_PIN).unwrap();
    assert_eq!(stranger.find(Template::default()), [pair.public]);
    assert_eq!(stranger.generate_ec(P256, "so", true).err(), Some(ErrorCode::NotLoggedIn));
}

#[test]
fn session_objects_go_with_their_session_and_private_ones_with_the_login() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let caller = user(&engine, partition);
    let pair = caller.generate_ec(P256, "k", false).unwrap();
    let other = user(&engine, partition);
    assert!(other.find(Template::default()).is_empty());
    caller.call(&Logout {}).unwrap();
    caller.log_in(Role::User, USER_PIN).unwrap();
    assert_eq!(caller.find(Template::default()), [pair.public]);
    caller.call(&SessionClose {}).unwrap();
    assert_eq!(caller.call(&Logout {}).err(), Some(ErrorCode::SessionUnknown));
}

#[test]
fn objects_are_found_by_index_and_in_pages() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Strict));
    let all: Vec<_> = (0..20).map(|i| caller.data_object(&format!("d{}", i % 4), &[i]).unwrap()).collect();
    assert_eq!(caller.find(Template::default().with(A::LABEL, &b"d3"[..])).len(), 5);
    assert_eq!(caller.find(Template::default().with(A::LABEL, &b"none"[..])).len(), 0);
    assert_eq!(caller.find(Template::default().with(A::VALUE, &[7u8][..])), [all[7]]);
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = caller.call(&ObjectFind { template: Template::default(), after, max: 7 }).unwrap().objects;
        after = page.last().copied();
        if page.is_empty() {
            break;
        }
        seen.extend(page);
    }
    let mut expected = all.clone();
    expected.sort();
    assert_eq!(seen, expected);
    let template = Template::default().with(A::LABEL, &b"renamed"[..]);
    caller.call(&AttributesWrite { object: all[3], template: template.clone() }).unwrap();
    assert_eq!(caller.find(template), [all[3]]);
    caller.call(&ObjectDestroy { object: all[3] }).unwrap();
    assert_eq!(caller.find(Template::default().with(A::LABEL, &b"renamed"[..])).len(), 0);
}

#[test]
fn templates_are_parsed_not_trusted() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Strict));
    let create = |template| caller.call(&ObjectCreate { template }).err();
    assert_eq!(create(Template::default()), Some(ErrorCode::TemplateIncomplete));
    assert_eq!(create(secret_template(key_type::AES, &[1; 31])), Some(ErrorCode::KeySize));
    assert_eq!(
        create(secret_template(key_type::AES, &[1; 32]).with(A::LOCAL, true)),
        Some(ErrorCode::AttributeReadOnly)
    );
    assert_eq!(
        create(secret_template(key_type::AES, &[1; 32]).with(A::EC_POINT, &[1u8][..])),
        Some(ErrorCode::AttributeTypeInvalid)
    );
    assert_eq!(
        create(secret_template(key_type::AES, &[1; 32]).with(A::TOKEN, 1)),
        Some(ErrorCode::AttributeValueInvalid)
    );
    let twice = secret_template(key_type::AES, &[1; 32]).with(A::LABEL, &b"a"[..]).with(A::LABEL, &b"b"[..]);
    assert_eq!(create(twice), Some(ErrorCode::TemplateInconsistent));
    let point = Template::default()
        .with(A::CLASS, class::PUBLIC_KEY)
        .with(A::KEY_TYPE, key_type::EC)
        .with(A::EC_PARAMS, P256)
        .with(A::EC_POINT, &[4u8; 65][..]);
    assert_eq!(create(point), Some(ErrorCode::AttributeValueInvalid));
    let scalar = |value: &[u8]| {
        Template::default()
            .with(A::CLASS, class::PRIVATE_KEY)
            .with(A::KEY_TYPE, key_type::EC)
            .with(A::EC_PARAMS, P256)
            .with(A::VALUE, value)
    };
    assert_eq!(create(scalar(&[0; 32])), Some(ErrorCode::AttributeValueInvalid));
    assert_eq!(create(scalar(&[0xff; 32])), Some(ErrorCode::AttributeValueInvalid));
    assert_eq!(create(scalar(&[1; 33])), Some(ErrorCode::AttributeValueInvalid));
    assert_eq!(create(scalar(&[9])), None);
}
