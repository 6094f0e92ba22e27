//! Whatever bytes come, parsing gives a value or a number, and what was encoded comes back (boundary B1).

use coloa_wire::attribute::{MAX_ATTRIBUTES, Value};
use coloa_wire::command::{self, *};
use coloa_wire::frame::{FrameKind, LENGTH_FIELD, MIN_HEADER, frame_length};
use coloa_wire::hello::{ClientHello, ServerHello};
use coloa_wire::mechanism::*;
use coloa_wire::{Attribute, AttributeType, ErrorCode, Frame, ObjectId, RetryId, SessionId, Template, UseTicket};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn kind() -> impl Strategy<Value = FrameKind> {
    prop_oneof![Just(FrameKind::Hello), Just(FrameKind::Call), Just(FrameKind::Reply), Just(FrameKind::Fault)]
}

/// A [`Value`] that can be shown; the real one may hold a key and has no `Debug`.
#[derive(Clone, Debug)]
enum Shape {
    Bool(bool),
    Uint(u64),
    Bytes(Vec<u8>),
    Uints(Vec<u64>),
    Template(Vec<(u32, Shape)>),
}

fn flat() -> impl Strategy<Value = Shape> {
    prop_oneof![
        any::<bool>().prop_map(Shape::Bool),
        any::<u64>().prop_map(Shape::Uint),
        vec(any::<u8>(), 0..64).prop_map(Shape::Bytes),
        vec(any::<u64>(), 0..8).prop_map(Shape::Uints),
    ]
}

fn shapes() -> impl Strategy<Value = Vec<(u32, Shape)>> {
    let nested = vec((any::<u32>(), flat()), 0..6).prop_map(Shape::Template);
    vec((any::<u32>(), prop_oneof![4 => flat(), 1 => nested]), 0..12)
}

fn attribute((kind, shape): (u32, Shape)) -> Attribute {
    let value = match shape {
        Shape::Bool(v) => Value::Bool(v),
        Shape::Uint(v) => Value::Uint(v),
        Shape::Bytes(v) => Value::Bytes(v),
        Shape::Uints(v) => Value::Uints(v),
        Shape::Template(v) => Value::Template(v.into_iter().map(attribute).collect()),
    };
    Attribute { kind: AttributeType(kind), value }
}

fn template(shapes: Vec<(u32, Shape)>) -> Template {
    Template(shapes.into_iter().map(attribute).collect())
}

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..most)
}

fn oaep() -> impl Strategy<Value = OaepParams> {
    (any::<u32>(), any::<u32>(), bytes(20)).prop_map(|(hash, mgf, label)| OaepParams {
        hash: MechanismType(hash),
        mgf: MechanismType(mgf),
        label,
    })
}

fn field() -> impl Strategy<Value = KdfField> {
    let number = || (any::<u32>(), any::<bool>()).prop_map(|(bits, little_endian)| KdfNumber { bits, little_endian });
    prop_oneof![
        number().prop_map(KdfField::Counter),
        bytes(20).prop_map(KdfField::Bytes),
        number().prop_map(KdfField::Length)
    ]
}

fn parameter() -> impl Strategy<Value = Parameter> {
    let kind = || any::<u32>().prop_map(MechanismType);
    let derivations = prop_oneof![
        (option::of(kind()), bytes(20), bytes(140)).prop_map(|(kdf, shared, public)| Parameter::Ecdh(EcdhParams {
            kdf,
            shared,
            public
        })),
        (any::<(bool, bool)>(), kind(), option::of(bytes(20)), option::of(any::<[u8; 16]>()), bytes(20)).prop_map(
            |((extract, expand), hash, salt, key, info)| {
                let salt_key = key.map(ObjectId);
                Parameter::Hkdf(HkdfParams { extract, expand, hash, salt, salt_key, info })
            }
        ),
        (kind(), vec(field(), 0..20)).prop_map(|(prf, fields)| Parameter::CounterKdf(CounterKdfParams { prf, fields })),
        (kind(), bytes(20), any::<u32>(), bytes(20)).prop_map(|(prf, salt, iterations, password)| {
            let password = Password(password);
            Parameter::Pbkdf2(Pbkdf2Params { prf, salt, iterations, password })
        }),
    ];
    prop_oneof![
        option::of(bytes(20)).prop_map(Parameter::Iv),
        (any::<u32>(), bytes(20)).prop_map(|(bits, block)| Parameter::Ctr(CtrParams { bits, block })),
        (option::of(bytes(20)), bytes(20), any::<u32>()).prop_map(|(nonce, aad, tag)| Parameter::Ccm(CcmParams {
            nonce,
            aad,
            tag
        })),
        any::<u32>().prop_map(Parameter::MacLength),
        (kind(), kind(), any::<u32>()).prop_map(|(hash, mgf, salt)| Parameter::Pss(PssParams { hash, mgf, salt })),
        oaep().prop_map(Parameter::Oaep),
        (bytes(300), option::of(kind())).prop_map(|(context, hash)| Parameter::MlDsa(MlDsaParams { context, hash })),
        derivations,
        (any::<u32>(), oaep()).prop_map(|(aes_bits, oaep)| Parameter::RsaAes(RsaAesParams { aes_bits, oaep })),
    ]
}

/// Decodes a head as every type that a frame can carry.
fn decode_as_everything(head: &[u8]) {
    macro_rules! each {
        ($($t:ty),*) => {$(let _ = command::decode_head::<$t>(head);)*};
    }
    each!(
        ClientHello,
        ServerHello,
        DeviceInfo,
        DeviceInfoReply,
        DeviceInitialize,
        PartitionCreate,
        PartitionCreateReply,
        PartitionDestroy,
        ClientBind,
        ClientUnbind,
        AuditRead,
        AuditReadReply,
        Batch,
        BatchReply,
        MechanismListReply,
        TokenListReply,
        TokenInitialize,
        UserPinInitialize,
        PinChange,
        SessionOpen,
        SessionOpenReply,
        Login,
        ObjectCreate,
        ObjectReply,
        ObjectCopy,
        ObjectDestroy,
        AttributesRead,
        AttributesReadReply,
        AttributesWrite,
        ObjectFind,
        ObjectFindReply,
        KeyGenerate,
        KeyPairGenerate,
        KeyPairReply,
        Sign,
        Verify,
        Encrypt,
        EncryptReply,
        Decrypt,
        Random,
        ContextLogin,
        ContextLoginReply,
        TicketIssue,
        TicketIssueReply,
        TicketLogin,
        KeyWrap,
        KeyWrapReply,
        KeyUnwrap,
        KeyDerive,
        KeyEncapsulate,
        KeyEncapsulateReply,
        KeyDecapsulate
    );
}

proptest! {
    #[test]
    fn a_frame_comes_back(
        kind in kind(), code: u16, request: u32, session in option::of(any::<[u8; 16]>()),
        retry in option::of(any::<[u8; 16]>()), head in vec(any::<u8>(), 0..200), bulk in vec(any::<u8>(), 0..200),
    ) {
        let is_call = kind == FrameKind::Call;
        let session = session.filter(|_| is_call).map(SessionId);
        let retry = retry.filter(|_| is_call).map(RetryId);
        let frame = Frame { kind, code, request, session, retry, head: &head, bulk: &bulk };
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        prop_assert_eq!(frame_length(&bytes, bytes.len()), Ok(Some(bytes.len())));
        prop_assert!(Frame::parse(&bytes) == Ok(frame));
        for cut in 0..bytes.len() {
            prop_assert_eq!(Frame::parse(&bytes[..cut]).err(), Some(ErrorCode::FrameTruncated));
        }
        bytes.push(0);
        prop_assert_eq!(Frame::parse(&bytes).err(), Some(ErrorCode::FrameTooLong));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
        let _ = frame_length(&bytes, 1024);
        if let Ok(frame) = Frame::parse(&bytes) {
            decode_as_everything(frame.head);
        }
        decode_as_everything(&bytes);
    }

    #[test]
    fn a_frame_with_flipped_bits_never_panics(shapes in shapes(), at: prop::sample::Index, bit in 0..8u8) {
        let mut head = Vec::new();
        command::encode_head(&ObjectCreate { template: template(shapes) }, &mut head);
        let index = at.index(head.len());
        head[index] ^= 1 << bit;
        decode_as_everything(&head);
    }

    #[test]
    fn a_mechanism_comes_back(kind: u32, parameter in parameter(), at: prop::sample::Index, bit in 0..8u8) {
        let ticket = Some(UseTicket([9; 16]));
        let mechanism = Mechanism::with(MechanismType(kind), parameter);
        let request = Decrypt { key: ObjectId([1; 16]), mechanism, ticket };
        let mut head = Vec::new();
        command::encode_head(&request, &mut head);
        prop_assert_eq!(command::decode_head::<Decrypt>(&head), Ok(request));
        let index = at.index(head.len());
        head[index] ^= 1 << bit;
        decode_as_everything(&head);
    }

    #[test]
    fn a_template_comes_back(shapes in shapes()) {
        let template = template(shapes);
        let mut head = Vec::new();
        command::encode_head(&ObjectCreate { template: template.clone() }, &mut head);
        let back: ObjectCreate = command::decode_head(&head).unwrap();
        prop_assert!(back.template == template);
        head.push(0xa0);
        prop_assert!(command::decode_head::<ObjectCreate>(&head).is_err(), "nothing may follow a head");
    }
}

#[test]
fn lengths_are_checked_before_anything_is_read() {
    assert_eq!(frame_length(&[0, 0], 100), Ok(None));
    assert_eq!(frame_length(&u32::MAX.to_be_bytes(), 100), Err(ErrorCode::FrameTooLong));
    assert_eq!(frame_length(&97u32.to_be_bytes(), 100), Err(ErrorCode::FrameTooLong));
    assert_eq!(frame_length(&96u32.to_be_bytes(), 100), Ok(Some(100)));
    let short = u32::try_from(MIN_HEADER - LENGTH_FIELD - 1).unwrap();
    assert_eq!(frame_length(&short.to_be_bytes(), 100), Err(ErrorCode::FrameTruncated));
}

#[test]
fn flags_belong_to_calls_and_unknown_ones_are_refused() {
    let with = |kind: u8, flags: u8| {
        let mut bytes = vec![0, 0, 0, 44, kind, flags];
        bytes.resize(48, 0);
        Frame::parse(&bytes).err()
    };
    assert_eq!(with(1, 3), None);
    assert_eq!(with(2, 1), Some(ErrorCode::FrameMalformed));
    assert_eq!(with(1, 4), Some(ErrorCode::FrameMalformed));
    assert_eq!(with(9, 0), Some(ErrorCode::FrameMalformed));
}

#[test]
fn a_short_message_cannot_ask_for_much_memory() {
    // A template that claims 2^32 attributes, and one more than may be.
    let claim = [0xa1, 0x00, 0x9a, 0xff, 0xff, 0xff, 0xff];
    assert!(command::decode_head::<ObjectCreate>(&claim).is_err());
    let template =
        Template(vec![Attribute { kind: AttributeType::LABEL, value: Value::Bool(true) }; MAX_ATTRIBUTES + 1]);
    let mut head = Vec::new();
    command::encode_head(&ObjectCreate { template }, &mut head);
    assert!(command::decode_head::<ObjectCreate>(&head).is_err());
}

/// A template in a template in a template is refused, however deep: parsing does not recurse.
#[test]
fn templates_do_not_nest() {
    let inner = || vec![attribute((1, Shape::Template(vec![(2, Shape::Bool(true))])))];
    let mut head = Vec::new();
    command::encode_head(&ObjectCreate { template: Template(inner()) }, &mut head);
    assert!(command::decode_head::<ObjectCreate>(&head).is_ok());
    let nested = Template(vec![Attribute { kind: AttributeType(3), value: Value::Template(inner()) }]);
    head.clear();
    command::encode_head(&ObjectCreate { template: nested }, &mut head);
    assert!(command::decode_head::<ObjectCreate>(&head).is_err());
    // {0: [[3, {2: {2: {2: …}}}]]}, far deeper than a stack would bear.
    let deep = [&[0xa1, 0x00, 0x81, 0x82, 0x03][..], &[0xa1, 0x02].repeat(500_000)].concat();
    assert!(command::decode_head::<ObjectCreate>(&deep).is_err());
    // A map that claims 2^32 attributes.
    let claim = [0xa1, 0x00, 0x81, 0x82, 0x03, 0xba, 0xff, 0xff, 0xff, 0xff];
    assert!(command::decode_head::<ObjectCreate>(&claim).is_err());
}
