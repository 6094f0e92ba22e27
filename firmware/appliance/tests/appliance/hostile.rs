//! Streams that break the protocol: a numbered fault, a close, and a server that lives.

use crate::rig::{Appliance, Enrolled, call, hello, read_frame};
use coloa_wire::command::*;
use coloa_wire::frame::FrameKind;
use coloa_wire::{Command, ErrorCode, Frame, PartitionId, SessionId};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// A channel of an enrolled client, without manners.
fn channel(client: &Enrolled, address: &str) -> Tls {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(client.folder.join("ca.pem")).unwrap()).unwrap();
    let chain = vec![CertificateDer::from_pem_file(client.folder.join("client.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(client.folder.join("client.key")).unwrap();
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .unwrap();
    let tls = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    StreamOwned::new(tls, socket)
}

fn frame(code: u16, request: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    Frame::status(FrameKind::Call, code, request).encode(&mut bytes);
    bytes
}

/// Sends bytes after the hello; the number of the fault that comes last before the close.
fn fault_after(tls: &mut Tls, bytes: &[u8]) -> Option<ErrorCode> {
    tls.write_all(bytes).unwrap();
    let mut answers = Vec::new();
    let _ = tls.read_to_end(&mut answers);
    let mut last = None;
    let mut rest = answers.as_slice();
    while !rest.is_empty() {
        let one = read_frame(&mut rest);
        let one = Frame::parse(&one).unwrap();
        last = (one.kind == FrameKind::Fault).then(|| ErrorCode::from_number(one.code).unwrap());
    }
    last
}

#[test]
fn what_breaks_the_protocol_gets_a_number_and_a_close() {
    let appliance = Appliance::operational();
    let partition = appliance.partition("court");
    let client = appliance.enrol(partition, "court-srv-1");
    let address = appliance.address();
    let list = CommandCode::MechanismList as u16;
    let cases: [(&str, Vec<u8>, ErrorCode); 7] = [
        ("too long", vec![0xff; 64], ErrorCode::FrameTooLong),
        ("too short to be one", vec![0, 0, 0, 3, 1, 0, 0], ErrorCode::FrameTruncated),
        ("of no kind", [&12u32.to_be_bytes()[..], &[9; 12]].concat(), ErrorCode::FrameMalformed),
        (
            "a reply",
            {
                let mut b = Vec::new();
                Frame::status(FrameKind::Reply, 0, 5).encode(&mut b);
                b
            },
            ErrorCode::FrameMalformed,
        ),
        ("a second hello", hello(), ErrorCode::FrameMalformed),
        ("a repeated number", [frame(list, 7), frame(list, 7)].concat(), ErrorCode::RequestRepeated),
        ("a falling number", [frame(list, 7), frame(list, 6)].concat(), ErrorCode::RequestRepeated),
    ];
    for (what, bytes, expected) in cases {
        let mut tls = channel(&client, &address);
        tls.write_all(&hello()).unwrap();
        assert_eq!(read_frame(&mut tls)[4], FrameKind::Hello as u8);
        assert_eq!(fault_after(&mut tls, &bytes), Some(expected), "{what}");
    }
    // And the server lives.
    assert!(call(&client.client(&address), None, &TokenList {}).is_ok());
    assert!(appliance.metrics().contains("coloa_faults_total{reason=\"RequestRepeated\"} 2"));
}

#[test]
fn the_first_frame_is_a_short_hello() {
    let appliance = Appliance::operational();
    let client = appliance.enrol(appliance.partition("court"), "court-srv-1");
    let address = appliance.address();
    let list = frame(CommandCode::TokenList as u16, 1);
    assert_eq!(fault_after(&mut channel(&client, &address), &list), Some(ErrorCode::HelloExpected));
    let long = [&4096u32.to_be_bytes()[..], &[0; 60]].concat();
    assert_eq!(fault_after(&mut channel(&client, &address), &long), Some(ErrorCode::FrameTooLong));
}

#[test]
fn an_unknown_command_is_refused_and_the_channel_lives() {
    let appliance = Appliance::operational();
    let client = appliance.enrol(appliance.partition("court"), "court-srv-1");
    let mut tls = channel(&client, &appliance.address());
    tls.write_all(&hello()).unwrap();
    read_frame(&mut tls);
    // 0x8002 is the appliance's own, on the local socket only.
    for (request, code) in [(1, 0x7777), (2, 0x8002)] {
        tls.write_all(&frame(code, request)).unwrap();
        let answer = read_frame(&mut tls);
        let answer = Frame::parse(&answer).unwrap();
        assert_eq!((answer.kind, answer.request), (FrameKind::Reply, request));
        assert_eq!(ErrorCode::from_number(answer.code), Some(ErrorCode::CommandUnknown));
    }
}

#[test]
fn half_a_frame_and_no_handshake_are_not_waited_for() {
    let appliance = Appliance::operational();
    let client = appliance.enrol(appliance.partition("court"), "court-srv-1");
    let address = appliance.address();
    let mut tls = channel(&client, &address);
    tls.write_all(&hello()).unwrap();
    read_frame(&mut tls);
    tls.write_all(&frame(CommandCode::TokenList as u16, 1)[..9]).unwrap();
    let mut silent = TcpStream::connect(&address).unwrap();
    silent.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    // Both are closed by the server, long before the sixty seconds.
    assert_eq!(tls.read(&mut [0; 64]).unwrap_or(0), 0);
    assert_eq!(silent.read(&mut [0; 64]).unwrap_or(0), 0);
    assert!(appliance.metrics().contains("coloa_handshake_failures_total{reason=\"timeout\"} 1"));
    assert!(call(&client.client(&address), None, &TokenList {}).is_ok());
}

#[test]
fn a_frame_that_dribbles_in_wins_no_time() {
    let appliance = Appliance::operational();
    let client = appliance.enrol(appliance.partition("court"), "court-srv-1");
    let mut tls = channel(&client, &appliance.address());
    tls.write_all(&hello()).unwrap();
    read_frame(&mut tls);
    // A byte each 200 ms would take a minute for the frame; the server gives it two seconds.
    let long = [&[0, 0, 1, 44][..], &[0; 300]].concat();
    let cut = long.iter().any(|byte| {
        std::thread::sleep(Duration::from_millis(200));
        tls.write_all(&[*byte]).is_err()
    });
    assert!(cut, "it was waited for");
}

#[test]
fn noise_instead_of_tls_is_refused() {
    let appliance = Appliance::operational();
    let address = appliance.address();
    let mut socket = TcpStream::connect(&address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    socket.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    assert!(answer.len() < 64, "no more than an alert");
    assert!(crate::rig::until(|| appliance
        .metrics()
        .contains("coloa_handshake_failures_total{reason=\"malformed\"} 1")));
}

#[test]
fn strangers_who_say_nothing_give_way_to_clients() {
    let mut appliance = Appliance::operational();
    let client = appliance.enrol(appliance.partition("court"), "court-srv-1");
    appliance.stop();
    // Nobody's handshake ends by its deadline here.
    appliance.configure_with("127.0.0.1:0", "connections = 3\n");
    appliance.start();
    let address = appliance.address();
    let strangers: Vec<_> = (0..6).map(|_| TcpStream::connect(&address).unwrap()).collect();
    assert!(call(&client.client(&address), None, &TokenList {}).is_ok());
    drop(strangers);
    // Clients do not give way to clients.
    let clients: Vec<_> = (0..3).map(|_| client.client(&address)).collect();
    clients.iter().for_each(|c| assert!(crate::rig::until(|| call(c, None, &TokenList {}).is_ok())));
    assert!(call(&client.client(&address), None, &TokenList {}).is_err());
    assert!(clients.iter().all(|c| call(c, None, &TokenList {}).is_ok()));
}

#[test]
fn one_client_cannot_take_all_channels() {
    let mut appliance = Appliance::operational();
    let partition = appliance.partition("court");
    let [greedy, modest] = ["greedy-srv", "modest-srv"].map(|name| appliance.enrol(partition, name));
    appliance.stop();
    appliance.configure_with("127.0.0.1:0", "connections = 4\n");
    appliance.start();
    let address = appliance.address();
    let mut kept: Vec<_> = (0..3).map(|_| channel(&greedy, &address)).collect();
    for tls in &mut kept {
        tls.write_all(&hello()).unwrap();
        read_frame(tls);
    }
    let mut one_more = channel(&greedy, &address);
    let _ = one_more.write_all(&hello());
    assert_eq!(one_more.read(&mut [0; 64]).unwrap_or(0), 0, "it has its share");
    assert!(appliance.metrics().contains("coloa_handshake_failures_total{reason=\"too_many\"} 1"));
    assert!(call(&modest.client(&address), None, &TokenList {}).is_ok());
}

/// A client that asks and does not take the answers jams its own channel and no worker: others' commits go on, and it is cut.
#[test]
fn who_does_not_take_answers_jams_nobody_else() {
    let mut appliance = Appliance::operational();
    let (court, agency) = (appliance.partition("court"), appliance.partition("agency"));
    let (good, greedy) = (appliance.enrol(court, "court-srv"), appliance.enrol(agency, "agency-srv"));
    appliance.stop();
    // Fewer workers than channels that are jammed.
    appliance.configure_with("127.0.0.1:0", "workers = 4\n");
    appliance.start();
    let address = appliance.address();
    let jammed: Vec<Tls> = (0..6).map(|_| jam(&greedy, &address, agency)).collect();
    let client = good.client(&address);
    let session = crate::rig::user(&client, court);
    let began = std::time::Instant::now();
    (0..20).for_each(|_| assert!(crate::rig::key_pair(&client, session).is_ok()));
    println!("20 key pairs beside {} jammed channels in {:?}", jammed.len(), began.elapsed());
    // Each is given up after the two seconds that an answer may wait.
    assert!(crate::rig::until(|| appliance.metrics().lines().any(|l| l == "coloa_channels 1")), "they are kept");
    drop(jammed);
    assert!(crate::rig::key_pair(&client, session).is_ok());
}

/// A channel that logs in, which takes workers, and at once asks for more random bytes than sockets hold; it reads nothing.
fn jam(client: &Enrolled, address: &str, partition: PartitionId) -> Tls {
    let mut tls = channel(client, address);
    tls.write_all(&hello()).unwrap();
    read_frame(&mut tls);
    let mut ask = Asking { request: 0, session: None, bytes: Vec::new() };
    ask.for_answer(&SessionOpen { partition });
    tls.write_all(&ask.bytes).unwrap();
    let reply = read_frame(&mut tls);
    let opened: SessionOpenReply = decode_head(Frame::parse(&reply).unwrap().head).unwrap();
    (ask.session, ask.bytes) = (Some(opened.session), Vec::new());
    (0..3).for_each(|_| ask.for_answer(&Login { role: Role::User, pin: crate::rig::USER_PIN.into() }));
    (0..5_000).for_each(|_| ask.for_answer(&Random { length: MAX_RANDOM }));
    // The server reads no more once it is jammed; what it has taken by then is enough.
    tls.sock.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let _ = tls.write_all(&ask.bytes);
    tls
}

/// Calls in a row.
struct Asking {
    request: u32,
    session: Option<SessionId>,
    bytes: Vec<u8>,
}

impl Asking {
    fn for_answer<C: Command>(&mut self, command: &C) {
        let mut head = Vec::new();
        encode_head(command, &mut head);
        self.request += 1;
        let call = Frame::status(FrameKind::Call, C::CODE as u16, self.request);
        Frame { head: &head, session: self.session, ..call }.encode(&mut self.bytes);
    }
}
