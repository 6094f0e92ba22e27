//! The client against a server on loopback: order, loss, silence, and certificates that do not fit.

mod rig;

use coloa_client::{CallError, Client, Language};
use coloa_wire::ErrorCode;
use coloa_wire::command::{Encrypt, Login, Pin, Random, Role};
use coloa_wire::{MechanismType, ObjectId};
use rig::{Manner, Pki, Server, target};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

fn client(server: &Server, pki: &Pki, connections: usize) -> Client {
    Client::open(&target(server.address, pki.directory.path(), pki.directory.path(), connections)).unwrap()
}

fn random(client: &Client, length: u32) -> Result<Vec<u8>, CallError> {
    client.call(None, None, &Random { length }, &[]).map(|(_, bulk)| bulk.to_vec())
}

#[test]
fn every_thread_gets_its_own_reply_over_one_connection() {
    let pki = Pki::new();
    let server = Server::start(&pki, Manner::Answer);
    let client = client(&server, &pki, 1);
    std::thread::scope(|scope| {
        for worker in 1..=8_u32 {
            let client = &client;
            scope.spawn(move || {
                for round in 0..200 {
                    let length = worker * 100 + round % 100;
                    assert_eq!(random(client, length).unwrap(), vec![length as u8; length as usize]);
                }
            });
        }
    });
    assert_eq!(server.accepted.load(Ordering::SeqCst), 1);
}

#[test]
fn replies_may_come_in_any_order_and_many_calls_are_in_flight() {
    let pki = Pki::new();
    let server = Server::start(&pki, Manner::Backwards(8));
    let client = client(&server, &pki, 1);
    std::thread::scope(|scope| {
        for length in 1..=8_u32 {
            let client = &client;
            scope.spawn(move || {
                for _ in 0..20 {
                    assert_eq!(random(client, length).unwrap(), vec![length as u8; length as usize]);
                }
            });
        }
    });
}

#[test]
fn large_frames_cross_in_both_directions() {
    let pki = Pki::new();
    let server = Server::start(&pki, Manner::Answer);
    let client = client(&server, &pki, 2);
    assert_eq!(random(&client, 1 << 20).unwrap().len(), 1 << 20);
    let command = Encrypt { key: ObjectId([0; 16]), mechanism: MechanismType::AES_GCM.into() };
    let too_long = client.call(None, None, &command, &vec![0; 2 << 20]);
    assert_eq!(too_long.err(), Some(CallError::Engine(ErrorCode::DataTooLong)));
    let room = client.max_bulk(64).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| client.call(None, None, &command, &vec![0; room]).unwrap());
        }
    });
}

#[test]
fn a_restarted_server_is_found_again() {
    let pki = Pki::new();
    let server = Server::start(&pki, Manner::Answer);
    let (client, address) = (client(&server, &pki, 2), server.address);
    random(&client, 1).unwrap();
    drop(server);
    assert!(matches!(random(&client, 1), Err(CallError::Unreachable(..))));
    let _server = Server::start_at(&pki, Manner::Answer, address);
    random(&client, 1).unwrap();
}

#[test]
fn a_call_whose_connection_is_lost_is_sent_again_with_the_same_retry_id() {
    let pki = Pki::new();
    let server = Server::start(&pki, Manner::DropFirst);
    let client = client(&server, &pki, 1);
    client.call(None, None, &Login { role: Role::User, pin: Pin::from(&b"123456"[..]) }, &[]).unwrap();
    let retries = server.retries.lock().unwrap().clone();
    assert_eq!(retries.len(), 2);
    assert!(retries[0].is_some() && retries[0] == retries[1], "{retries:?}");
}

#[test]
fn a_command_that_changes_nothing_has_no_retry_id() {
    let pki = Pki::new();
    let server = Server::start(&pki, Manner::Answer);
    random(&client(&server, &pki, 1), 1).unwrap();
    assert_eq!(*server.retries.lock().unwrap(), [None]);
}

#[test]
fn silence_ends_at_the_deadline() {
    let pki = Pki::new();
    let server = Server::start(&pki, Manner::Silent);
    let mut target = target(server.address, pki.directory.path(), pki.directory.path(), 1);
    target.deadline = Duration::from_secs(1);
    let client = Client::open(&target).unwrap();
    client.hello().unwrap();
    let begun = Instant::now();
    assert!(matches!(random(&client, 1), Err(CallError::Deadline(_))));
    assert!(begun.elapsed() >= Duration::from_millis(900) && begun.elapsed() < Duration::from_secs(30));
}

/// Each try is lost late: all tries together have the one deadline.
#[test]
fn a_call_that_is_sent_again_has_no_more_time_for_it() {
    let pki = Pki::new();
    let late = |_: &[u8]| {
        std::thread::sleep(Duration::from_millis(1_400));
        vec![]
    };
    let server = Server::start(&pki, Manner::Engine(Arc::new(late)));
    let mut target = target(server.address, pki.directory.path(), pki.directory.path(), 1);
    target.deadline = Duration::from_secs(2);
    let client = Client::open(&target).unwrap();
    client.hello().unwrap();
    let begun = Instant::now();
    assert!(random(&client, 1).is_err());
    assert!(begun.elapsed() < Duration::from_millis(2_600), "{:?}", begun.elapsed());
}

#[test]
fn a_fault_ends_the_connection_and_says_why() {
    let pki = Pki::new();
    let server = Server::start(&pki, Manner::Fault);
    let error = random(&client(&server, &pki, 1), 1).unwrap_err();
    assert_eq!(error, CallError::Protocol(server.address.to_string(), ErrorCode::FrameMalformed));
}

#[test]
fn strangers_are_told_apart() {
    let (pki, foreign) = (Pki::new(), Pki::new());
    let server = Server::start(&pki, Manner::Answer);
    let open = |ours: &Pki, theirs: &Pki| {
        Client::open(&target(server.address, ours.directory.path(), theirs.directory.path(), 1)).unwrap()
    };
    let refused = random(&open(&foreign, &pki), 1).unwrap_err();
    assert!(matches!(refused, CallError::Refused(..)), "{refused:?}");
    assert!(refused.explain(Language::Vietnamese).contains("từ chối chứng thư"), "{refused}");
    let untrusted = random(&open(&pki, &foreign), 1).unwrap_err();
    assert!(matches!(untrusted, CallError::Untrusted(..)), "{untrusted:?}");
    random(&open(&pki, &pki), 1).unwrap();
}

#[test]
fn a_missing_file_and_an_empty_port_are_named() {
    let pki = Pki::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = Client::open(&target(free, pki.directory.path(), pki.directory.path(), 1)).unwrap();
    let error = random(&client, 1).unwrap_err();
    assert!(matches!(error, CallError::Unreachable(..)) && error.to_string().contains(&free.to_string()), "{error}");
    std::fs::remove_file(pki.file("client.key")).unwrap();
    let error = Client::open(&target(free, pki.directory.path(), pki.directory.path(), 1)).err().unwrap();
    assert!(matches!(&error, CallError::File(file, _) if file.ends_with("client.key")), "{error:?}");
}
