//! Many calls on few connections: threads that send and read for each other, and tickets.

mod rig;

use coloa_client::network::Network;
use coloa_client::{CallError, Client, Place, Ticket, Transport};
use coloa_wire::command::{Encrypt, Random, encode_head};
use coloa_wire::{Command, Frame, FrameKind, MechanismType, ObjectId};
use rig::{Manner, Pki, Server, answer_to, target};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn client(server: &Server, pki: &Pki, connections: usize) -> Client {
    Client::open(&target(server.address, pki.directory.path(), pki.directory.path(), connections)).unwrap()
}

/// Asks for so many bytes and checks that the reply is this call's own.
fn ask(client: &Client, length: u32) -> Result<(), CallError> {
    let (_, bulk) = client.call(None, None, &Random { length }, &[])?;
    assert_eq!(*bulk, vec![length as u8; length as usize]);
    Ok(())
}

fn begin(client: &Client, length: u32) -> Result<Ticket<Random>, CallError> {
    client.begin((None, None), &Random { length }, &[])
}

/// Polls until all have their own replies.
fn poll_all(client: &Client, tickets: Vec<(u32, Ticket<Random>)>) -> Result<(), CallError> {
    let mut open = tickets;
    while !open.is_empty() {
        let mut still = vec![];
        for (length, mut ticket) in open {
            match client.poll(&mut ticket)? {
                Some((_, bulk)) => assert_eq!(*bulk, vec![length as u8; length as usize]),
                None => still.push((length, ticket)),
            }
        }
        open = still;
    }
    Ok(())
}

#[test]
fn sixty_four_threads_are_in_flight_on_one_connection() {
    let pki = Pki::new();
    // It says nothing until all 64 have called: no call may be held back for another's reply.
    let server = Server::start(&pki, Manner::Backwards(64));
    let client = client(&server, &pki, 1);
    std::thread::scope(|scope| {
        for length in 1..=64 {
            let client = &client;
            scope.spawn(move || (0..10).for_each(|_| ask(client, length).unwrap()));
        }
    });
    assert_eq!(server.accepted.load(Ordering::SeqCst), 1);
}

#[test]
fn a_connection_that_fails_in_the_midst_costs_no_call_its_own_answer() {
    let pki = Pki::new();
    let calls = AtomicUsize::new(0);
    let fails_now_and_then = move |frame: &[u8]| match calls.fetch_add(1, Ordering::SeqCst) % 101 {
        100 => vec![],
        _ => answer_to(frame),
    };
    let server = Server::start(&pki, Manner::Engine(Arc::new(fails_now_and_then)));
    let client = client(&server, &pki, 3);
    let (right, lost) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for worker in 0..32 {
            let (client, right, lost) = (&client, &right, &lost);
            scope.spawn(move || {
                for round in 0..50 {
                    match ask(client, worker * 50 + round) {
                        Ok(()) => right.fetch_add(1, Ordering::SeqCst),
                        // Lost twice in a row: the caller is told so.
                        Err(CallError::Lost(..)) => lost.fetch_add(1, Ordering::SeqCst),
                        Err(other) => panic!("{other}"),
                    };
                }
            });
        }
    });
    let (right, lost) = (right.into_inner(), lost.into_inner());
    assert_eq!(right + lost, 32 * 50);
    assert!(right > lost * 4, "{right} right, {lost} lost");
    assert!(server.accepted.load(Ordering::SeqCst) > 3, "no connection failed");
}

/// One frame of `Random`.
fn frame(length: u32) -> Vec<u8> {
    let (mut head, mut frame) = (vec![], vec![]);
    encode_head(&Random { length }, &mut head);
    Frame { head: &head, ..Frame::status(FrameKind::Call, Random::CODE as u16, 0) }.encode(&mut frame);
    frame
}

#[test]
fn a_deadline_holds_for_the_one_who_reads_and_for_those_it_reads_for() {
    let pki = Pki::new();
    let silent_to_13 = |bytes: &[u8]| if bytes.ends_with(&frame(13)[12..]) { vec![] } else { answer_to(bytes) };
    let server = Server::start(&pki, Manner::Choosy(Arc::new(silent_to_13)));
    let target = target(server.address, pki.directory.path(), pki.directory.path(), 1);
    let Place::Network(network) = &target.place else { unreachable!() };
    let network = Network::new(network).unwrap();
    network.hello(Instant::now() + Duration::from_secs(20)).unwrap();
    let exchange = |length, within| {
        let begun = Instant::now();
        let outcome = network.exchange(&mut frame(length), begun + within, &mut vec![]);
        (outcome, begun.elapsed())
    };
    let until = Instant::now() + Duration::from_secs(2);
    std::thread::scope(|scope| {
        let never = [700, 300, 500].map(|millis| {
            let within = Duration::from_millis(millis);
            scope.spawn(move || (within, exchange(13, within)))
        });
        // They are served all the time, whoever leaves the reader's place.
        for length in 100..104 {
            scope.spawn(move || {
                while Instant::now() < until {
                    exchange(length, Duration::from_secs(20)).0.unwrap();
                }
            });
        }
        for thread in never {
            let (within, (outcome, took)) = thread.join().unwrap();
            assert!(matches!(outcome, Err(CallError::Deadline(_))), "{outcome:?}");
            assert!(took >= within && took < within + Duration::from_secs(10), "{took:?}");
        }
    });
    assert_eq!(server.accepted.load(Ordering::SeqCst), 1, "the connection was heard of and stays");
}

#[test]
fn large_frames_and_small_ones_share_connections() {
    let pki = Pki::new();
    let server = Server::start(&pki, Manner::Answer);
    let client = client(&server, &pki, 2);
    let command = Encrypt { key: ObjectId([0; 16]), mechanism: MechanismType::AES_GCM.into() };
    let large = vec![0; client.max_bulk(64).unwrap()];
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| (0..8).for_each(|_| drop(client.call(None, None, &command, &large).unwrap())));
            scope.spawn(|| (0..8).for_each(|_| ask(&client, 1 << 20).unwrap()));
        }
        for worker in 1..=10 {
            let client = &client;
            scope.spawn(move || (0..100).for_each(|n| ask(client, worker * 100 + n).unwrap()));
        }
    });
}

#[test]
fn one_thread_has_many_calls_in_flight() {
    let pki = Pki::new();
    let server = Server::start(&pki, Manner::Backwards(32));
    let client = client(&server, &pki, 1);
    for _ in 0..10 {
        let tickets = (1..=32).map(|length| (length, begin(&client, length).unwrap())).collect();
        poll_all(&client, tickets).unwrap();
        let tickets: Vec<_> = (1..=32).map(|length| begin(&client, length).unwrap()).collect();
        for (ticket, length) in tickets.into_iter().zip(1_u32..) {
            let (_, bulk) = client.wait(ticket).unwrap();
            assert_eq!(*bulk, vec![length as u8; length as usize]);
        }
    }
}

#[test]
fn large_calls_are_begun_while_replies_fill_the_way_back() {
    let pki = Pki::new();
    let server = Server::start(&pki, Manner::Answer);
    let client = client(&server, &pki, 1);
    let tickets = (0..8).map(|_| (1 << 20, begin(&client, 1 << 20).unwrap())).collect();
    let command = Encrypt { key: ObjectId([0; 16]), mechanism: MechanismType::AES_GCM.into() };
    let large = vec![0; client.max_bulk(64).unwrap()];
    let sent: Vec<_> = (0..8).map(|_| client.begin((None, None), &command, &large).unwrap()).collect();
    sent.into_iter().for_each(|ticket| drop(client.wait(ticket).unwrap()));
    poll_all(&client, tickets).unwrap();
}

#[test]
fn tickets_and_threads_share_a_connection() {
    let pki = Pki::new();
    let server = Server::start(&pki, Manner::Answer);
    let client = client(&server, &pki, 1);
    std::thread::scope(|scope| {
        for worker in 1..=6 {
            let client = &client;
            scope.spawn(move || (0..200).for_each(|n| ask(client, worker * 200 + n).unwrap()));
        }
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..20 {
                    // The first of them is given up.
                    drop(begin(&client, 9).unwrap());
                    poll_all(&client, (1..=16).map(|n| (n, begin(&client, n).unwrap())).collect()).unwrap();
                }
            });
        }
    });
}

#[test]
fn a_tickets_call_that_is_lost_is_sent_again() {
    let pki = Pki::new();
    let server = Server::start(&pki, Manner::DropFirst);
    let client = client(&server, &pki, 1);
    poll_all(&client, (1..=8).map(|n| (n, begin(&client, n).unwrap())).collect()).unwrap();
    assert_eq!(server.accepted.load(Ordering::SeqCst), 2);
}

#[test]
fn a_ticket_has_a_deadline_too() {
    let pki = Pki::new();
    let server = Server::start(&pki, Manner::Silent);
    let mut target = target(server.address, pki.directory.path(), pki.directory.path(), 1);
    target.deadline = Duration::from_millis(500);
    let client = Client::open(&target).unwrap();
    client.hello().unwrap();
    let begun = Instant::now();
    let refused = poll_all(&client, vec![(1, begin(&client, 1).unwrap())]);
    assert!(matches!(refused, Err(CallError::Deadline(_))), "{refused:?}");
    assert!(begun.elapsed() >= Duration::from_millis(400) && begun.elapsed() < Duration::from_secs(30));
    let refused = client.wait(begin(&client, 1).unwrap());
    assert!(matches!(refused, Err(CallError::Deadline(_))));
}

#[test]
fn where_there_is_no_wire_a_call_is_done_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let mode = coloa_wire::command::PartitionMode::Strict;
    let place = Place::Embedded(directory.path().to_owned(), mode);
    let client = Client::open(&coloa_client::Target { place, deadline: Duration::from_secs(20) }).unwrap();
    let mut ticket = begin(&client, 16).unwrap();
    let refused = client.poll(&mut ticket).map(|reply| reply.map(|(_, bulk)| bulk.len()));
    // It has no session; what counts is that the engine's answer is there.
    assert!(matches!(refused, Ok(Some(16)) | Err(CallError::Engine(_))), "{refused:?}");
    assert!(client.poll(&mut ticket).unwrap().is_none());
}
