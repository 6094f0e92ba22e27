//! The local socket: frames without TLS, found again after a restart.

use coloa_client::config::{Place, Target};
use coloa_client::{CallError, Client};
use coloa_wire::command::{Done, Random, encode_head};
use coloa_wire::frame::{MAX_FRAME_HOST, frame_length};
use coloa_wire::hello::{Body, PROTOCOL, ServerHello};
use coloa_wire::{Frame, FrameKind};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

/// Answers the hello and `calls` calls on each of `connections` connections.
fn serve(listener: &UnixListener, connections: usize, calls: usize) {
    for _ in 0..connections {
        let (mut stream, _) = listener.accept().unwrap();
        let hello = ServerHello {
            protocol: PROTOCOL,
            features: 0,
            max_frame: MAX_FRAME_HOST as u32,
            software: "test".into(),
            body: Body::Appliance,
            lanes: None,
        };
        let mut head = vec![];
        encode_head(&hello, &mut head);
        answer(&mut stream, |_| Frame { head: &head, ..Frame::status(FrameKind::Hello, 0, 0) });
        let mut head = vec![];
        encode_head(&Done {}, &mut head);
        for _ in 0..calls {
            answer(&mut stream, |n| Frame { head: &head, bulk: b"xx", ..Frame::status(FrameKind::Reply, 0, n) });
        }
    }
}

fn answer<'a>(stream: &mut UnixStream, reply: impl FnOnce(u32) -> Frame<'a>) {
    let mut bytes = vec![0; 4];
    stream.read_exact(&mut bytes).unwrap();
    bytes.resize(frame_length(&bytes, MAX_FRAME_HOST).unwrap().unwrap(), 0);
    stream.read_exact(&mut bytes[4..]).unwrap();
    let mut out = vec![];
    reply(Frame::parse(&bytes).unwrap().request).encode(&mut out);
    stream.write_all(&out).unwrap();
}

#[test]
fn calls_are_answered_and_a_closed_socket_is_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("admin.sock");
    let target = Target { place: Place::Local(socket.clone()), deadline: Duration::from_secs(20) };
    let client = Client::open(&target).unwrap();
    let random = || client.call(None, None, &Random { length: 2 }, &[]).map(|(_, bulk)| bulk.to_vec());
    assert!(matches!(random(), Err(CallError::Unreachable(..))));
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| serve(&listener, 2, 2));
        // The server closes after two calls: the third goes over a new connection.
        for _ in 0..4 {
            assert_eq!(random().unwrap(), b"xx");
        }
    });
}
