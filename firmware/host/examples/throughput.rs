//! Signatures per second through the embedded body's one entry, frames included: the limit of any module above it.
//! `cargo run --release -p coloa-host --example throughput`

use coloa_host::Embedded;
use coloa_wire::command::*;
use coloa_wire::frame::FrameKind;
use coloa_wire::{AttributeType as A, Command, Frame, MechanismType, SessionId, Template, command as codec};
use std::time::{Duration, Instant};

fn frame<C: Command>(session: Option<SessionId>, request: &C, bulk: &[u8]) -> Vec<u8> {
    let (mut head, mut bytes) = (Vec::new(), Vec::new());
    codec::encode_head(request, &mut head);
    Frame { head: &head, bulk, session, ..Frame::status(FrameKind::Call, C::CODE as u16, 1) }.encode(&mut bytes);
    bytes
}

fn call<C: Command>(body: &Embedded, session: Option<SessionId>, request: &C) -> C::Reply {
    let mut reply = Vec::new();
    body.exchange(&frame(session, request, &[]), &mut reply);
    let answer = Frame::parse(&reply).expect("a whole frame");
    assert_eq!(answer.code, 0, "{}", C::CODE.name());
    codec::decode_head(answer.head).expect("a head of the right type")
}

fn main() {
    let directory = tempfile::tempdir().expect("a directory");
    let body = Embedded::open(directory.path(), PartitionMode::Compatible).expect("an engine");
    let partition = call(&body, None, &TokenList {}).tokens[0].partition;
    let so_pin = || Pin::from(&b"12345678"[..]);
    call(&body, None, &TokenInitialize { partition, so_pin: so_pin(), label: "bench".into() });
    let session = Some(call(&body, None, &SessionOpen { partition }).session);
    call(&body, session, &Login { role: Role::SecurityOfficer, pin: so_pin() });
    call(&body, session, &UserPinInitialize { pin: b"123456"[..].into() });
    call(&body, session, &Logout {});
    call(&body, session, &Login { role: Role::User, pin: b"123456"[..].into() });
    let public = Template::default().with(A::EC_PARAMS, &[6u8, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7][..]);
    let mechanism = MechanismType::EC_KEY_PAIR_GEN.into();
    let private = Template::default();
    let key = call(&body, session, &KeyPairGenerate { mechanism, public, private }).private;
    let sign = frame(session, &Sign { key, mechanism: MechanismType::ECDSA.into(), ticket: None }, &[7; 32]);
    for threads in [1, 2, 8] {
        let started = Instant::now();
        let work = || {
            let (mut count, mut reply) = (0u64, Vec::new());
            while started.elapsed() < Duration::from_secs(2) {
                reply.clear();
                body.exchange(&sign, &mut reply);
                count += 1;
            }
            count
        };
        let total: u64 = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            workers.into_iter().map(|w| w.join().expect("a worker")).sum()
        });
        println!("P-256 sign, {threads} threads: {:.0}/s", total as f64 / started.elapsed().as_secs_f64());
    }
}
