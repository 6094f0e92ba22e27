//! A key's state as an application meets it: its calls are refused from the moment that somebody else suspends the key, and
//! the state can be read and searched for (R11).

#[macro_use]
mod rig;

use coloa_client::{Client, Target};
use coloa_wire::command::*;
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, AttributeType, ObjectHandle};
use cryptoki::session::Session;
use rig::{P256, SO_PIN, Token, aes_key, key_pair};
use std::time::Duration;

/// The numbers that applications are told.
const STATE: AttributeType = AttributeType::VendorDefined(0x8000_c101);
const ORGAN: AttributeType = AttributeType::VendorDefined(0x8000_c104);

/// The security officer, in an engine of their own on the same store, as in another process.
struct Officer {
    client: Client,
    partition: coloa_wire::PartitionId,
    session: coloa_wire::SessionId,
}

impl Officer {
    fn of(token: &Token) -> Self {
        let place = coloa_client::Place::Embedded(token.rig.directory.path().join("store"), PartitionMode::Strict);
        let client = Client::open(&Target { place, deadline: Duration::from_secs(5) }).unwrap();
        let partition = client.call(None, None, &TokenList {}, &[]).unwrap().0.tokens[0].partition;
        let session = client.call(None, None, &SessionOpen { partition }, &[]).unwrap().0.session;
        let login = Login { role: Role::SecurityOfficer, pin: SO_PIN.as_bytes().into() };
        client.call(Some(session), None, &login, &[]).unwrap();
        Officer { client, partition, session }
    }

    /// Brings every key with this label into a state.
    fn bring(&self, label: &str, state: KeyState) {
        let list = KeyList { partition: self.partition, after: None, max: 99 };
        let keys = self.client.call(Some(self.session), None, &list, &[]).unwrap().0.keys;
        let named = keys.iter().find(|key| key.label == label.as_bytes()).expect("there is such a key");
        let reason = "test".to_owned();
        let command = KeyStateSet { partition: self.partition, object: named.object, state, reason };
        self.client.call(Some(self.session), None, &command, &[]).unwrap();
    }
}

fn refusal<T: std::fmt::Debug>(outcome: cryptoki::error::Result<T>) -> RvError {
    match outcome {
        Err(Error::Pkcs11(rv, _)) => rv,
        other => panic!("{other:?}"),
    }
}

fn state(session: &Session, key: ObjectHandle) -> u64 {
    match &session.get_attributes(key, &[STATE]).unwrap()[..] {
        [Attribute::VendorDefined((STATE, value))] => u64::from_ne_bytes(value[..].try_into().unwrap()),
        other => panic!("no state: {other:?}"),
    }
}

fn labelled(session: &Session, keys: &[ObjectHandle], label: &str) {
    for key in keys {
        session.update_attributes(*key, &[Attribute::Label(label.as_bytes().to_vec())]).unwrap();
    }
}

#[test]
fn a_suspended_key_is_not_permitted_in_the_middle_of_an_operation_either() {
    let token = Token::new("strict");
    let (session, officer) = (token.user(), Officer::of(&token));
    let (public, private) = key_pair(&session, P256, true);
    labelled(&session, &[public, private], "contract");
    let sign = || session.sign(&Mechanism::EcdsaSha256, private, b"x");
    let signature = sign().unwrap();
    assert_eq!(state(&session, private), KeyState::Active.number());
    session.sign_init(&Mechanism::EcdsaSha256, private).unwrap();
    session.sign_update(b"begun before").unwrap();
    officer.bring("contract", KeyState::Suspended);
    assert_eq!(refusal(session.sign_final()), RvError::KeyFunctionNotPermitted);
    // What the module knows of the key does not help it.
    assert_eq!(refusal(sign()), RvError::KeyFunctionNotPermitted);
    for half in [public, private] {
        assert_eq!(state(&session, half), KeyState::Suspended.number());
    }
    let active = Attribute::VendorDefined((STATE, KeyState::Active.number().to_ne_bytes().to_vec()));
    let written = refusal(session.update_attributes(private, std::slice::from_ref(&active)));
    assert_eq!(written, RvError::AttributeReadOnly);
    assert!(!session.find_objects(std::slice::from_ref(&active)).unwrap().contains(&private));
    officer.bring("contract", KeyState::Active);
    assert!(session.find_objects(&[active]).unwrap().contains(&private));
    sign().unwrap();
    officer.bring("contract", KeyState::Deactivated);
    assert_eq!(refusal(sign()), RvError::KeyFunctionNotPermitted);
    session.verify(&Mechanism::EcdsaSha256, public, b"x", &signature).unwrap();
}

#[test]
fn a_template_says_whose_a_key_is() {
    let token = Token::new("strict");
    let (session, officer) = (token.user(), Officer::of(&token));
    let organ = Attribute::VendorDefined((ORGAN, b"court".to_vec()));
    let template = [
        Attribute::ValueLen(32_u64.into()),
        Attribute::Token(true),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
        Attribute::Label(b"archive".to_vec()),
        organ.clone(),
    ];
    let key = session.generate_key(&Mechanism::AesKeyGen, &template).unwrap();
    assert_eq!(session.find_objects(&[organ]).unwrap(), [key]);
    let encrypt = |key| {
        let mut iv = [0; 12];
        let params = GcmParams::new(&mut iv, b"", 128.into()).unwrap();
        session.encrypt(&Mechanism::AesGcm(params), key, b"text")
    };
    encrypt(key).unwrap();
    let copy = session.copy_object(key, &[Attribute::Token(false)]).unwrap();
    let other = aes_key(&session);
    officer.bring("archive", KeyState::Suspended);
    // The session's copy of a suspended key is that key.
    for barred in [key, copy] {
        assert_eq!(refusal(encrypt(barred)), RvError::KeyFunctionNotPermitted);
    }
    assert_eq!(refusal(session.copy_object(key, &[])), RvError::KeyFunctionNotPermitted);
    encrypt(other).unwrap();
}
