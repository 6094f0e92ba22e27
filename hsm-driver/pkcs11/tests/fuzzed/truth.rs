//! What an honest engine might answer, so that a lie is told where it is heard: objects of each kind, results of the right
//! length. No key is behind it.

use coloa_crypto_native::Native;
use coloa_wire::attribute::{class, key_type};
use coloa_wire::command::*;
use coloa_wire::frame::MAX_FRAME_HOST;
use coloa_wire::hello::{Body, PROTOCOL, ServerHello};
use coloa_wire::{
    Attribute, AttributeType as A, Frame, FrameKind, LoginTicket, Mechanism, MechanismType as M, ObjectId,
};
use coloa_wire::{Parameter, PartitionId, SessionId, UseTicket, Value};
use minicbor::Encode;
use std::sync::OnceLock;

/// Class and key type of each object; its number is the first byte of its id.
pub const OBJECTS: [(u64, u64); 10] = [
    (class::SECRET_KEY, key_type::AES),
    (class::SECRET_KEY, key_type::GENERIC_SECRET),
    (class::PUBLIC_KEY, key_type::RSA),
    (class::PRIVATE_KEY, key_type::RSA),
    (class::PUBLIC_KEY, key_type::EC),
    (class::PRIVATE_KEY, key_type::EC),
    (class::PUBLIC_KEY, key_type::ML_KEM),
    (class::PRIVATE_KEY, key_type::ML_KEM),
    (class::PRIVATE_KEY, key_type::ML_DSA),
    (class::PRIVATE_KEY, key_type::EC),
];
/// The one that asks for the PIN at each use.
pub const CAREFUL: usize = 9;
/// Bytes of the results that the objects' sizes lead to.
const RSA: usize = 256;
const ML_KEM_512: usize = 768;
const ML_DSA_44: usize = 2420;
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// A reply's head and bulk.
pub type Answer = (Vec<u8>, Vec<u8>);

pub fn head<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut out = vec![];
    encode_head(value, &mut out);
    out
}

/// A head without bulk.
pub fn only<T: Encode<()>>(value: &T) -> Answer {
    (head(value), vec![])
}

pub fn object(number: usize) -> ObjectId {
    ObjectId(std::array::from_fn(|n| if n == 0 { number as u8 } else { 1 }))
}

/// The answer to a hello or a call.
pub fn answer(frame: &Frame<'_>) -> Answer {
    if frame.kind == FrameKind::Hello {
        let (max_frame, software) = (MAX_FRAME_HOST as u32, "liar".into());
        return only(&ServerHello {
            protocol: PROTOCOL,
            features: 0,
            max_frame,
            software,
            body: Body::Appliance,
            lanes: None,
        });
    }
    match CommandCode::try_from(frame.code) {
        Ok(code) => of_command(code, frame),
        Err(_) => only(&Done {}),
    }
}

fn of_command(code: CommandCode, frame: &Frame<'_>) -> Answer {
    use CommandCode as C;
    match code {
        C::MechanismList => {
            static LIST: OnceLock<Vec<MechanismInfo>> = OnceLock::new();
            let mechanisms = LIST.get_or_init(|| coloa_engine::mechanisms(&Native::new()).collect()).clone();
            only(&MechanismListReply { mechanisms })
        }
        C::TokenList => only(&TokenListReply { tokens: vec![token(1)] }),
        C::SessionOpen => only(&SessionOpenReply { session: SessionId([4; 16]) }),
        C::TicketIssue => only(&TicketIssueReply { ticket: Some(LoginTicket([6; 41])) }),
        C::ContextLogin => only(&ContextLoginReply { ticket: UseTicket([5; 16]) }),
        C::ObjectCreate | C::ObjectCopy | C::KeyGenerate => only(&ObjectReply { object: object(100) }),
        C::KeyUnwrap | C::KeyDerive | C::KeyDecapsulate => only(&ObjectReply { object: object(101) }),
        C::KeyPairGenerate => only(&KeyPairReply { public: object(102), private: object(103) }),
        C::AttributesRead => decode_head(frame.head).map_or_else(|_| only(&Done {}), |read| attributes(&read)),
        C::ObjectFind => decode_head(frame.head).map_or_else(|_| only(&Done {}), |find| found(&find)),
        C::KeyWrap => (
            head(&KeyWrapReply { iv: decode_head(frame.head).ok().and_then(|w: KeyWrap| iv(&w.mechanism)) }),
            vec![6; 48],
        ),
        C::KeyEncapsulate => only(&KeyEncapsulateReply { object: object(104), ciphertext: vec![7; ML_KEM_512] }),
        C::Sign => (head(&Done {}), decode_head(frame.head).map_or(vec![], |sign| signature(&sign))),
        C::Encrypt => decode_head(frame.head).map_or_else(|_| only(&Done {}), |e| encrypted(&e, frame.bulk.len())),
        C::Decrypt => (head(&Done {}), decode_head(frame.head).map_or(vec![], |d| decrypted(&d, frame.bulk.len()))),
        C::Random => (head(&Done {}), decode_head(frame.head).map_or(vec![], |r: Random| vec![9; r.length as usize])),
        _ => only(&Done {}),
    }
}

/// A token whose partition has this number.
pub fn token(number: u32) -> TokenInfo {
    let mut partition = [3; 16];
    partition[..4].copy_from_slice(&number.to_be_bytes());
    let (label, pin) = ("liar".into(), PinState { failures: 0, left: 10, wait_ms: None });
    TokenInfo {
        partition: PartitionId(partition),
        label,
        mode: PartitionMode::Compatible,
        initialized: true,
        so_pin: pin,
        user_pin: Some(pin),
        suite: SUITE_AES_256_GCM,
        clients: vec![],
        approved_only: None,
    }
}

/// Ids from here on, as many as fit a page.
fn found(find: &ObjectFind) -> Answer {
    let ids = (0..OBJECTS.len()).map(object).filter(|id| find.after.is_none_or(|after| *id > after));
    only(&ObjectFindReply { objects: ids.take(find.max as usize).collect() })
}

fn attributes(read: &AttributesRead) -> Answer {
    let number = usize::from(read.object.0[0]) % OBJECTS.len();
    let mut reply = AttributesReadReply { values: vec![], sensitive: vec![], invalid: vec![], size: 99 };
    for kind in read.kinds.iter().copied() {
        match value(number, kind) {
            Some(value) => reply.values.push(Attribute { kind, value }),
            None if kind.is_secret() => reply.sensitive.push(kind),
            None => reply.invalid.push(kind),
        }
    }
    only(&reply)
}

fn value(number: usize, kind: A) -> Option<Value> {
    let (class, key_type) = OBJECTS[number];
    Some(match kind {
        A::CLASS => class.into(),
        A::KEY_TYPE => key_type.into(),
        A::TOKEN => false.into(),
        A::ALWAYS_AUTHENTICATE => (number == CAREFUL).into(),
        A::LABEL => b"label"[..].into(),
        A::MODULUS => vec![0xc1; RSA].into(),
        A::EC_PARAMS => P256.into(),
        A::PARAMETER_SET => 1.into(),
        A::WRAP_TEMPLATE => Value::Template(vec![Attribute { kind: A::SENSITIVE, value: true.into() }]),
        A::SIGN | A::VERIFY | A::ENCRYPT | A::DECRYPT | A::WRAP | A::UNWRAP => true.into(),
        A::DERIVE | A::ENCAPSULATE | A::DECAPSULATE => true.into(),
        _ => return None,
    })
}

fn signature(sign: &Sign) -> Vec<u8> {
    let (_, kind) = OBJECTS[usize::from(sign.key.0[0]) % OBJECTS.len()];
    let length = match kind {
        key_type::RSA => RSA,
        key_type::EC => 64,
        key_type::ML_DSA => ML_DSA_44,
        key_type::AES => 16,
        _ => 32,
    };
    vec![0x51; length]
}

/// Bytes of the tag, of the padding, or of the whole block of a mechanism.
fn sizes(mechanism: &Mechanism) -> (usize, Option<usize>) {
    match (mechanism.kind, &mechanism.gcm, &mechanism.parameter) {
        (M::AES_GCM, Some(gcm), _) => (gcm.tag_bits as usize / 8, None),
        (M::AES_CCM, _, Some(Parameter::Ccm(ccm))) => (ccm.tag as usize, None),
        (M::RSA_PKCS | M::RSA_PKCS_OAEP, ..) => (0, Some(RSA)),
        _ => (0, None),
    }
}

fn encrypted(encrypt: &Encrypt, length: usize) -> Answer {
    let (tag, whole) = sizes(&encrypt.mechanism);
    let padded = encrypt.mechanism.kind == M::AES_CBC_PAD;
    let length = whole.unwrap_or(if padded { length / 16 * 16 + 16 } else { length + tag });
    (head(&EncryptReply { iv: iv(&encrypt.mechanism) }), vec![0xec; length])
}

/// An IV where none was given.
fn iv(mechanism: &Mechanism) -> Option<Vec<u8>> {
    mechanism.gcm.as_ref().filter(|gcm| gcm.iv.is_none()).map(|_| vec![8; 12])
}

fn decrypted(decrypt: &Decrypt, length: usize) -> Vec<u8> {
    let (tag, whole) = sizes(&decrypt.mechanism);
    let padding = usize::from(decrypt.mechanism.kind == M::AES_CBC_PAD);
    vec![0xdc; if whole.is_some() { 10 } else { length.saturating_sub(tag + padding) }]
}
