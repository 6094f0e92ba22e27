//! Numbers and bytes are frozen: what a caller of yesterday sends is what the engine of tomorrow understands. When a golden
//! file differs because something was added, add to the file; a changed line is a broken caller.

#[path = "frozen/backup.rs"]
mod backup;
#[path = "frozen/partition.rs"]
mod partition;

use coloa_wire::attribute::{class, key_type};
use coloa_wire::command::*;
use coloa_wire::frame::FrameKind;
use coloa_wire::hello::{Body, ClientHello, ServerHello};
use coloa_wire::{
    AttributeType as A, CommandCode, ErrorCode, Frame, GcmParams, Identity, LoginTicket, Mechanism, MechanismType,
    ObjectId, Parameter, PartitionId, RequestId, RetryId, SessionId, Template, UseTicket, Value, command,
};
use minicbor::{Decode, Encode};
use std::fmt::Write;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The bytes of a head, which must come back as the same bytes.
fn head<T: Encode<()> + for<'b> Decode<'b, ()>>(value: &T) -> String {
    let (mut bytes, mut again) = (Vec::new(), Vec::new());
    command::encode_head(value, &mut bytes);
    let back: T = command::decode_head(&bytes).expect("what was encoded decodes");
    command::encode_head(&back, &mut again);
    assert_eq!(bytes, again);
    hex(&bytes)
}

fn against(file: &str, actual: &str) {
    let path = format!("{}/tests/golden/{file}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("COLOA_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, actual).expect("the golden file can be written");
    }
    let golden = std::fs::read_to_string(&path).expect("the golden file is there");
    for (wanted, got) in golden.lines().zip(actual.lines()) {
        assert_eq!(wanted, got, "{file}");
    }
    assert_eq!(golden.lines().count(), actual.lines().count(), "{file} has another number of lines");
}

#[test]
fn numbers() {
    let mut out = String::new();
    for code in CommandCode::ALL {
        let kind = if code.changes_state() { "changes" } else { "reads" };
        writeln!(out, "command {:#06x} {} {kind}", *code as u16, code.name()).unwrap();
    }
    for error in ErrorCode::ALL {
        writeln!(out, "error {} {} {:?} fatal={}", error.number(), error.name(), error.culprit(), error.is_fatal())
            .unwrap();
    }
    against("numbers.txt", &out);
}

fn custodians() -> Vec<Custodian> {
    vec![Custodian { name: "An".into(), key: vec![4; CUSTODIAN_KEY] }]
}

fn proposal() -> Proposal {
    let text = QuorumText {
        serial: "00".into(),
        id: RequestId([0x66; 16]),
        code: 0x104,
        head: vec![0xa0],
        subject: "court".into(),
        reason: "why".into(),
        proposer: "uid 0".into(),
        proposed: 1,
        expires: 2,
        set: 3,
    };
    Proposal { text, approvals: vec!["An".into()], rejections: vec![], expired: false }
}

fn vote() -> QuorumVote {
    QuorumVote { id: RequestId([0x66; 16]), custodian: "An".into(), voice: Voice::Reject, signature: vec![9; 4] }
}

fn server_hello(lanes: Option<u32>) -> ServerHello {
    ServerHello { protocol: 1, features: 2, max_frame: 9, software: "coloa".to_string(), body: Body::Board, lanes }
}

#[test]
fn bytes() {
    let (partition, object) = (PartitionId([0x11; 16]), ObjectId([0x22; 16]));
    let (identity, session) = (Identity([0x33; 32]), SessionId([0x44; 16]));
    let template = || {
        Template::default()
            .with(A::CLASS, class::SECRET_KEY)
            .with(A::KEY_TYPE, key_type::AES)
            .with(A::TOKEN, true)
            .with(A::LABEL, &b"label"[..])
            .with(A::ALLOWED_MECHANISMS, Value::Uints(vec![0x1087, 0x251]))
    };
    let pin = || Pin::from(&b"123456"[..]);
    let gcm = GcmParams { iv: Some(vec![5; 12]), aad: vec![6; 3], tag_bits: 128 };
    let mechanism = Mechanism { kind: MechanismType::AES_GCM, gcm: Some(gcm), parameter: None };
    let ecdsa = Mechanism::from(MechanismType::ECDSA);
    let state = PinState { failures: 1, left: 9, wait_ms: None };
    let token = TokenInfo {
        partition,
        label: "court".into(),
        mode: PartitionMode::Compatible,
        initialized: true,
        so_pin: state,
        user_pin: Some(state),
        suite: SUITE_AES_256_GCM,
        clients: vec!["srv".into()],
        approved_only: Some(true),
    };
    let info = DeviceInfoReply {
        lifecycle: Lifecycle::Operational,
        body: Body::Appliance,
        label: "hsm".into(),
        serial: "00".into(),
        version: "0.1.0".into(),
        partitions: 2,
        rollback_detected: false,
        audit_records: 7,
        audit_head: vec![8; 32],
        clock: None,
    };
    let retry = Some(RetryId([0x55; 16]));
    let item = BatchItem { code: 0x0401, head: vec![0xa0], bulk: 32, retry };
    let result = BatchResult { code: 0, head: vec![0xa0], bulk: 64 };
    let mech = MechanismInfo {
        kind: MechanismType::ECDSA,
        min_key: 256,
        max_key: 384,
        flags: 0x2800,
        not_strict: None,
        approved: Some(0x2000),
    };
    let attributes =
        AttributesReadReply { values: template().0, sensitive: vec![A::VALUE], invalid: vec![A::EC_POINT], size: 0 };
    let software = || String::from("coloa");
    let rows = [
        ("ClientHello", head(&ClientHello { protocol: 1, features: 2, max_frame: 4096, software: software() })),
        ("ServerHello", head(&server_hello(None))),
        ("ServerHello.lanes", head(&server_hello(Some(2)))),
        ("DeviceInfo", head(&DeviceInfo {})),
        ("DeviceInfoReply", head(&info)),
        ("DeviceInitialize", head(&DeviceInitialize { label: "hsm".into() })),
        ("DeviceZeroize", head(&DeviceZeroize { serial: "00".into() })),
        ("DeviceZeroizeReply", head(&DeviceZeroizeReply { audit_records: 7, audit_head: vec![8; 32] })),
        ("TamperReturn", head(&TamperReturn { serial: "00".into() })),
        ("CustodiansRead", head(&CustodiansRead {})),
        ("CustodiansReadReply", head(&CustodiansReadReply { threshold: 2, custodians: custodians() })),
        ("CustodiansSet", head(&CustodiansSet { threshold: 2, custodians: custodians() })),
        ("QuorumPropose", head(&QuorumPropose { code: 0x104, head: vec![0xa0], reason: "why".into(), seconds: 60 })),
        ("QuorumProposeReply", head(&QuorumProposeReply { id: RequestId([0x66; 16]) })),
        ("QuorumList", head(&QuorumList {})),
        ("QuorumListReply", head(&QuorumListReply { proposals: vec![proposal()], threshold: 2 })),
        ("QuorumText.signed", hex(&proposal().text.signed(Voice::Approve))),
        ("QuorumVote", head(&vote())),
        ("QuorumVoteReply", head(&QuorumVoteReply { approvals: 1, threshold: 2, rejected: false })),
        ("QuorumExecute", head(&QuorumExecute { id: RequestId([0x66; 16]) })),
        ("QuorumExecuteReply", head(&QuorumExecuteReply { head: vec![0xa0] })),
        ("QuorumWithdraw", head(&QuorumWithdraw { id: RequestId([0x66; 16]) })),
        ("KeyTrust", head(&KeyTrust { partition: PartitionId([0x11; 16]), object: ObjectId([0x22; 16]) })),
        (
            "PartitionCreate",
            head(&PartitionCreate { label: "court".into(), mode: PartitionMode::Strict, approved_only: None }),
        ),
        ("PartitionCreateReply", head(&PartitionCreateReply { partition })),
        ("PartitionDestroy", head(&PartitionDestroy { partition })),
        ("ClientBind", head(&ClientBind { partition, identity, name: "srv".into() })),
        ("ClientUnbind", head(&ClientUnbind { partition, identity })),
        ("AuditRead", head(&AuditRead { from: 1, max: 9 })),
        ("AuditReadReply", head(&AuditReadReply { records: 1, last: 9 })),
        ("Batch", head(&Batch { items: vec![item] })),
        ("BatchReply", head(&BatchReply { items: vec![result] })),
        ("MechanismList", head(&MechanismList {})),
        ("MechanismListReply", head(&MechanismListReply { mechanisms: vec![mech] })),
        ("TokenList", head(&TokenList {})),
        ("TokenListReply", head(&TokenListReply { tokens: vec![token] })),
        ("TokenInitialize", head(&TokenInitialize { partition, so_pin: pin(), label: "court".into() })),
        ("UserPinInitialize", head(&UserPinInitialize { pin: pin() })),
        ("PinChange", head(&PinChange { old: pin(), new: pin() })),
        ("SessionOpen", head(&SessionOpen { partition })),
        ("SessionOpenReply", head(&SessionOpenReply { session })),
        ("SessionClose", head(&SessionClose {})),
        ("Login", head(&Login { role: Role::User, pin: pin() })),
        ("Logout", head(&Logout {})),
        ("ObjectCreate", head(&ObjectCreate { template: template() })),
        ("ObjectReply", head(&ObjectReply { object })),
        ("ObjectCopy", head(&ObjectCopy { object, template: template() })),
        ("ObjectDestroy", head(&ObjectDestroy { object })),
        ("AttributesRead", head(&AttributesRead { object, kinds: vec![A::VALUE, A::LABEL] })),
        ("AttributesReadReply", head(&attributes)),
        ("AttributesWrite", head(&AttributesWrite { object, template: template() })),
        ("ObjectFind", head(&ObjectFind { template: template(), after: Some(object), max: 10 })),
        ("ObjectFindReply", head(&ObjectFindReply { objects: vec![object] })),
        ("KeyGenerate", head(&KeyGenerate { mechanism: mechanism.clone(), template: template() })),
        (
            "KeyPairGenerate",
            head(&KeyPairGenerate { mechanism: ecdsa.clone(), public: template(), private: template() }),
        ),
        ("KeyPairReply", head(&KeyPairReply { public: object, private: object })),
        ("Sign", head(&Sign { key: object, mechanism: ecdsa.clone(), ticket: None })),
        ("Verify", head(&Verify { key: object, mechanism: ecdsa, signature: 64 })),
        ("Encrypt", head(&Encrypt { key: object, mechanism: mechanism.clone() })),
        ("EncryptReply", head(&EncryptReply { iv: Some(vec![7; 12]) })),
        ("Decrypt", head(&Decrypt { key: object, mechanism, ticket: None })),
        ("Random", head(&Random { length: 32 })),
        ("Done", head(&Done {})),
    ];
    let mut out: String = rows.iter().map(|(name, bytes)| format!("{name} {bytes}\n")).collect();
    let mut frame = Vec::new();
    let call = Frame {
        head: &[0xa0],
        bulk: b"bulk",
        session: Some(session),
        retry,
        ..Frame::status(FrameKind::Call, 0x0401, 7)
    };
    call.encode(&mut frame);
    writeln!(out, "frame-call {}", hex(&frame)).unwrap();
    frame.clear();
    Frame::status(FrameKind::Fault, ErrorCode::FrameTooLong.number(), 7).encode(&mut frame);
    writeln!(out, "frame-fault {}", hex(&frame)).unwrap();
    against("bytes.txt", &out);
}

#[test]
fn mechanisms() {
    let rows = parameters().into_iter().map(|(name, kind, parameter)| {
        (name, head(&Sign { key: ObjectId([0x22; 16]), mechanism: Mechanism::with(kind, parameter), ticket: None }))
    });
    let info = MechanismInfo {
        kind: MechanismType::RSA_PKCS,
        min_key: 2048,
        max_key: 4096,
        flags: 0x6_2b00,
        not_strict: Some(0x6_0b00),
        approved: None,
    };
    let listed = ("MechanismListReply", head(&MechanismListReply { mechanisms: vec![info] }));
    let mut out: String = rows
        .chain(key_commands())
        .chain([listed])
        .chain(life_commands())
        .map(|(name, bytes)| format!("{name} {bytes}\n"))
        .collect();
    let mut known: Vec<_> = parameters().into_iter().map(|(_, kind, _)| kind.0).collect();
    known.dedup();
    writeln!(out, "numbers {known:x?}").unwrap();
    against("mechanisms.txt", &out);
}

/// One of each kind of parameter.
fn parameters() -> Vec<(&'static str, MechanismType, Parameter)> {
    use coloa_wire::mechanism::*;
    let (sha256, sha384) = (MechanismType::SHA256, MechanismType::SHA384);
    let oaep = OaepParams { hash: sha256, mgf: sha384, label: vec![1, 2] };
    let number = KdfNumber { bits: 32, little_endian: true };
    let fields = vec![KdfField::Counter(number), KdfField::Bytes(vec![1]), KdfField::Length(number)];
    let hkdf = HkdfParams {
        extract: true,
        expand: false,
        hash: sha256,
        salt: Some(vec![1]),
        salt_key: Some(ObjectId([0x66; 16])),
        info: vec![2],
    };
    let password = Password(vec![3; 4]);
    let pbkdf2 = Pbkdf2Params { prf: MechanismType::SHA512_HMAC, salt: vec![1], iterations: 600_000, password };
    vec![
        ("Iv", MechanismType::AES_CBC, Parameter::Iv(Some(vec![1; 16]))),
        ("Iv-made", MechanismType::AES_CBC_PAD, Parameter::Iv(None)),
        ("Ctr", MechanismType::AES_CTR, Parameter::Ctr(CtrParams { bits: 32, block: vec![2; 16] })),
        ("Ccm", MechanismType::AES_CCM, Parameter::Ccm(CcmParams { nonce: Some(vec![3; 7]), aad: vec![4], tag: 8 })),
        ("MacLength", MechanismType::SHA256_HMAC_GENERAL, Parameter::MacLength(16)),
        ("Pss", MechanismType::RSA_PKCS_PSS, Parameter::Pss(PssParams { hash: sha256, mgf: sha384, salt: 32 })),
        ("Oaep", MechanismType::RSA_PKCS_OAEP, Parameter::Oaep(oaep.clone())),
        (
            "MlDsa",
            MechanismType::HASH_ML_DSA,
            Parameter::MlDsa(MlDsaParams { context: vec![5], hash: Some(MechanismType::SHA3_512) }),
        ),
        (
            "Ecdh",
            MechanismType::ECDH1_DERIVE,
            Parameter::Ecdh(EcdhParams { kdf: Some(sha256), shared: vec![6], public: vec![7; 3] }),
        ),
        ("Hkdf", MechanismType::HKDF_DERIVE, Parameter::Hkdf(hkdf)),
        (
            "CounterKdf",
            MechanismType::SP800_108_COUNTER_KDF,
            Parameter::CounterKdf(CounterKdfParams { prf: MechanismType::AES_CMAC, fields }),
        ),
        ("Pbkdf2", MechanismType::PKCS5_PBKD2, Parameter::Pbkdf2(pbkdf2)),
        ("RsaAes", MechanismType::RSA_AES_KEY_WRAP, Parameter::RsaAes(RsaAesParams { aes_bits: 256, oaep })),
    ]
}

/// A key's life.
fn life_commands() -> Vec<(&'static str, String)> {
    let (partition, object, other) = (PartitionId([0x11; 16]), ObjectId([0x22; 16]), ObjectId([0x33; 16]));
    let reason = || String::from("why");
    let metadata = || KeyMetadata {
        organ: Some("court".into()),
        site: Some("Hà Nội".into()),
        purpose: Some("archive".into()),
        owner: Some("Lan".into()),
        classification: Some(2),
        crypto_period: Some(365),
        max_uses: Some(9),
    };
    let entry = KeyEntry {
        object,
        class: class::SECRET_KEY,
        key_type: key_type::AES,
        bits: 256,
        label: b"label".to_vec(),
        id: vec![1],
        state: KeyState::Suspended,
        since: Some(5),
        reason: Some(reason()),
        check_value: vec![7; 3],
        start: b"20260101".to_vec(),
        end: b"20270101".to_vec(),
        created: Some(6),
        expires: Some(7),
        version: 2,
        predecessor: Some(other),
        uses: Some(8),
        metadata: metadata(),
    };
    let destroyed = KeyDestroyReply {
        object,
        class: class::SECRET_KEY,
        key_type: key_type::AES,
        check_value: vec![7; 3],
        label_hash: [8; 32],
        time: 9,
        remaining: vec![other],
        audit: Some(AuditPlace { number: 4, digest: [9; 32] }),
    };
    let rotated = KeyRotateReply { object, public: Some(other), version: 2, old: vec![other] };
    let states: Vec<String> = KeyState::ALL.iter().map(head).collect();
    vec![
        ("KeyList", head(&KeyList { partition, after: Some(object), max: 9 })),
        ("KeyListReply", head(&KeyListReply { keys: vec![entry], more: true })),
        ("KeyState", states.concat()),
        ("KeyStateSet", head(&KeyStateSet { partition, object, state: KeyState::Compromised, reason: reason() })),
        ("KeyStateSetReply", head(&KeyStateSetReply { objects: vec![object, other] })),
        ("KeyDescribe", head(&KeyDescribe { partition, object, metadata: metadata() })),
        ("KeyDestroy", head(&KeyDestroy { partition, object, reason: reason() })),
        ("KeyDestroyReply", head(&destroyed)),
        ("KeyRotate", head(&KeyRotate { partition, object, reason: reason() })),
        ("KeyRotateReply", head(&rotated)),
    ]
}

/// What carries keys, and what a key that asks for the PIN each time needs.
fn key_commands() -> Vec<(&'static str, String)> {
    let (object, other, ticket) = (ObjectId([0x22; 16]), ObjectId([0x33; 16]), Some(UseTicket([0x77; 16])));
    let inner = Template::default().with(A::CLASS, class::SECRET_KEY).with(A::SENSITIVE, true).with(A::ID, &b"id"[..]);
    let template = || Template::default().with(A::UNWRAP_TEMPLATE, Value::Template(inner.0.clone()));
    let kw = Mechanism::from(MechanismType::AES_KEY_WRAP);
    let kem = Mechanism::from(MechanismType::ML_KEM);
    vec![
        ("KeyWrap", head(&KeyWrap { wrapping: object, mechanism: kw.clone(), key: other })),
        ("KeyWrapReply", head(&KeyWrapReply { iv: Some(vec![7; 12]) })),
        (
            "KeyUnwrap",
            head(&KeyUnwrap { unwrapping: object, mechanism: kw.clone(), template: template(), ticket: None }),
        ),
        (
            "KeyUnwrap-ticket",
            head(&KeyUnwrap { unwrapping: object, mechanism: kw.clone(), template: template(), ticket }),
        ),
        ("KeyDerive", head(&KeyDerive { base: object, mechanism: kw.clone(), template: template(), ticket: None })),
        ("KeyDerive-ticket", head(&KeyDerive { base: object, mechanism: kw.clone(), template: template(), ticket })),
        ("KeyEncapsulate", head(&KeyEncapsulate { key: object, mechanism: kem.clone(), template: template() })),
        ("KeyEncapsulateReply", head(&KeyEncapsulateReply { object, ciphertext: vec![8; 3] })),
        (
            "KeyDecapsulate",
            head(&KeyDecapsulate { key: object, mechanism: kem.clone(), template: template(), ticket: None }),
        ),
        ("KeyDecapsulate-ticket", head(&KeyDecapsulate { key: object, mechanism: kem, template: template(), ticket })),
        ("ContextLogin", head(&ContextLogin { pin: b"123456"[..].into() })),
        ("ContextLoginReply", head(&ContextLoginReply { ticket: UseTicket([0x77; 16]) })),
        ("TicketIssue", head(&TicketIssue {})),
        ("TicketIssueReply", head(&TicketIssueReply { ticket: Some(LoginTicket([0x78; 41])) })),
        ("TicketIssueReply-none", head(&TicketIssueReply { ticket: None })),
        ("TicketLogin", head(&TicketLogin { ticket: LoginTicket([0x78; 41]) })),
        ("Sign-ticket", head(&Sign { key: object, mechanism: kw.clone(), ticket })),
        ("Decrypt-ticket", head(&Decrypt { key: object, mechanism: kw, ticket })),
    ]
}

fn status(partition: PartitionId) -> coloa_wire::admin::ServiceStatusReply {
    coloa_wire::admin::ServiceStatusReply {
        uptime: 1,
        clock: 2,
        store_bytes: 3,
        free_bytes: 4,
        sandbox: "whole".into(),
        memory_locked: true,
        calls: 5,
        errors: 6,
        calls_per_second: 7,
        errors_per_second: 8,
        sessions: 9,
        channel_limit: 10,
        partitions: vec![coloa_wire::admin::PartitionFigures { partition, label: "court".into(), objects: 11 }],
    }
}

#[test]
fn administration() {
    use coloa_wire::admin::*;
    let (partition, identity) = (PartitionId([0x11; 16]), Identity([0x33; 32]));
    let info = ServiceInfoReply {
        version: "0.1.0".into(),
        listening: Some("127.0.0.1:7443".into()),
        trouble: Some("why".into()),
        server_names: vec!["coloa.local".into()],
        channels: 2,
        certificate_ends: Some(9),
    };
    let enrol = ClientEnrol { partition, name: "srv".into(), request: vec![0x30; 3], days: 365, valid_from: Some(8) };
    let enrolled = ClientEnrolReply {
        certificate: vec![0x30; 2],
        ca: vec![0x31; 2],
        identity,
        address: "127.0.0.1:7443".into(),
        server_name: "coloa.local".into(),
    };
    let clients = vec![BoundClient { partition, identity, name: "srv".into(), channels: 1 }];
    let rows = [
        ("ServiceInfo", head(&ServiceInfo {})),
        ("ServiceInfoReply", head(&info)),
        ("ClientEnrol", head(&enrol)),
        ("ClientEnrolReply", head(&enrolled)),
        ("ClientList", head(&ClientList {})),
        ("ClientListReply", head(&ClientListReply { clients })),
        ("AuditorEnrol", head(&AuditorEnrol { name: "au".into(), request: vec![0x30; 3], days: 365 })),
        ("ServiceStatus", head(&ServiceStatus {})),
        ("ServiceStatusReply", head(&status(partition))),
    ];
    let mut out: String = rows.iter().map(|(name, bytes)| format!("{name} {bytes}\n")).collect();
    for (name, code) in [
        ("ServiceInfo", ServiceInfo::CODE),
        ("ClientEnrol", ClientEnrol::CODE),
        ("ClientList", ClientList::CODE),
        ("AuditorEnrol", AuditorEnrol::CODE),
        ("ServiceStatus", ServiceStatus::CODE),
    ] {
        writeln!(out, "command {code:#06x} {name}").unwrap();
    }
    against("admin.txt", &out);
}

#[test]
fn every_error_says_what_and_what_next_in_both_languages() {
    use coloa_wire::error::Language::{English, Vietnamese};
    for error in ErrorCode::ALL {
        for language in [English, Vietnamese] {
            assert!(error.sentence(language).ends_with('.') && error.next_step(language).ends_with('.'), "{error:?}");
        }
        assert_ne!(error.sentence(English), error.sentence(Vietnamese));
        assert_eq!(ErrorCode::from_number(error.number()), Some(*error));
    }
    assert_eq!(ErrorCode::from_number(0), None);
}

#[test]
fn bytes_of_what_the_device_vouches_for() {
    let (identity, object) = (Identity([0x33; 32]), ObjectId([0x22; 16]));
    let text = CheckpointText { serial: "00".into(), number: 7, digest: [8; 32], time: 9, generation: 10 };
    let signed = hex(&text.signed());
    let statement = KeyStatement {
        serial: "00".into(),
        version: "0.1.0".into(),
        time: Some(1),
        nonce: vec![2; 4],
        partition: PartitionId([0x11; 16]),
        partition_label: "court".into(),
        mode: PartitionMode::Strict,
        object,
        class: class::PRIVATE_KEY,
        key_type: key_type::EC,
        mechanism: Some(0x1040),
        flags: vec![0x163],
        public: Some(vec![3; 4]),
        image: Some(ImageStatement { digest: [9; 48], is_recorded: true }),
    };
    let attested = KeyAttestReply { statement: vec![1; 4], signature: vec![2; 4], certificate: Some(vec![3; 4]) };
    let certificates = DeviceCertificatesReply { device: vec![1; 4], audit: vec![2; 4], attestation: vec![3; 4] };
    let auditor = AuditorAdd { identity, name: "An".into() };
    let note = AuditNote { subject: "lễ".into(), digest: [0x5a; 32] };
    let rows = [
        ("DeviceCertificates", head(&DeviceCertificates {})),
        ("DeviceCertificatesReply", head(&certificates)),
        ("AuditCheckpoint", head(&AuditCheckpoint {})),
        ("CheckpointText.signed", signed),
        ("SignedCheckpoint", head(&SignedCheckpoint { text, signature: vec![4; 4] })),
        ("KeyAttest", head(&KeyAttest { object, nonce: vec![2; 4] })),
        ("KeyAttestReply", head(&attested)),
        ("KeyStatement", head(&statement)),
        ("statement_signed", hex(&statement_signed(&[1; 4]))),
        ("AuditorAdd", head(&auditor)),
        ("AuditorRemove", head(&AuditorRemove { identity })),
        ("AuditorList", head(&AuditorList {})),
        ("AuditorListReply", head(&AuditorListReply { auditors: vec![auditor] })),
        ("AuditNote", head(&note)),
        ("AuditNote.detail", note.detail()),
    ];
    let mut out = String::new();
    rows.iter().for_each(|(name, bytes)| writeln!(out, "{name} {bytes}").unwrap());
    against("audit.txt", &out);
}
