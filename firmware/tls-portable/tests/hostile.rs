//! What a peer that means harm may send: nothing of it panics, grows memory or is waited for.

mod rig;

use coloa_tls_portable::{Fault, Server, Turn};
use rig::{Authority, ClientSetup, client_config, server};
use rustls::ClientConnection;

/// The largest record and its header: what a channel holds of unread bytes.
const INBOX: usize = 5 + 16384 + 256;

fn client_hello(authority: &Authority) -> Vec<u8> {
    let config = client_config(authority, ClientSetup::default());
    let mut client = ClientConnection::new(config, "board.test".try_into().unwrap()).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

fn feed(server: &mut Server, mut bytes: &[u8]) -> Turn {
    loop {
        let taken = server.receive(bytes);
        bytes = &bytes[taken..];
        let mut turn = server.turn();
        while turn == Turn::Again {
            turn = server.turn();
        }
        server.sent(server.output().len());
        if bytes.is_empty() || turn == Turn::Finished {
            return turn;
        }
    }
}

/// A small generator, so that a failure repeats (xorshift64).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[test]
fn what_is_no_record_is_refused_at_the_header() {
    let config = server(&Authority::new("channel"));
    for nonsense in [&b"GET / HTTP/1.1\r\n"[..], &[22, 9], &[0], &[22, 3, 1, 0xff, 0xff], &[0x80, 0x2e]] {
        let mut server = Server::new(config.clone()).unwrap();
        assert_eq!(feed(&mut server, nonsense), Turn::Finished, "{nonsense:?}");
        assert_eq!(server.fault(), Some(&Fault::NotTls), "{nonsense:?}");
        assert_eq!(server.room(), 0);
    }
}

#[test]
fn a_handshake_message_without_end_is_refused_in_bounded_memory() {
    let mut server = Server::new(server(&Authority::new("channel"))).unwrap();
    // A ClientHello that claims 16 MB, in records of 1,000 bytes.
    let mut record = vec![22, 3, 1, 0x03, 0xe8];
    record.extend([1, 0xff, 0xff, 0xff]);
    record.resize(5 + 1000, 0);
    let mut sent = 0;
    while feed(&mut server, &record) != Turn::Finished {
        sent += record.len();
        record[5..9].fill(0);
        assert!(sent <= 2 * INBOX, "the server swallows without end");
    }
    assert!(server.fault().is_some());
}

#[test]
fn every_cut_of_a_client_hello_waits_quietly() {
    let authority = Authority::new("channel");
    let config = server(&authority);
    let hello = client_hello(&authority);
    for cut in (0..hello.len()).step_by(37).chain(0..10) {
        let mut server = Server::new(config.clone()).unwrap();
        assert_eq!(feed(&mut server, &hello[..cut]), Turn::Idle, "cut at {cut}");
        assert_eq!(server.fault(), None);
        assert!(!server.is_established());
    }
}

#[test]
fn a_client_hello_byte_by_byte_is_understood() {
    let authority = Authority::new("channel");
    let mut server = Server::new(server(&authority)).unwrap();
    for byte in client_hello(&authority) {
        assert_eq!(server.receive(&[byte]), 1);
        while server.turn() == Turn::Again {}
    }
    assert!(server.output().len() > 1000, "the server's flight: hello, certificate, finished");
    assert_eq!(server.fault(), None);
}

#[test]
fn a_damaged_client_hello_never_panics_nor_establishes() {
    let authority = Authority::new("channel");
    let config = server(&authority);
    let hello = client_hello(&authority);
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    for _ in 0..150 {
        let mut damaged = hello.clone();
        for _ in 0..=noise.next() % 4 {
            let at = noise.next() as usize % damaged.len();
            damaged[at] ^= (noise.next() as u8).max(1);
        }
        let mut server = Server::new(config.clone()).unwrap();
        feed(&mut server, &damaged);
        assert!(!server.is_established());
    }
}

#[test]
fn garbage_behind_a_good_header_never_panics() {
    let config = server(&Authority::new("channel"));
    let mut noise = Noise(7);
    for kind in [20, 21, 22, 23] {
        for length in [0_u16, 1, 2, 4, 16, 64, 1000] {
            let mut record = vec![kind, 3, 3];
            record.extend(length.to_be_bytes());
            record.extend((0..length).map(|_| noise.next() as u8));
            let mut server = Server::new(config.clone()).unwrap();
            feed(&mut server, &record);
            feed(&mut server, &record);
            assert!(!server.is_established());
        }
    }
}
