//! A board without a board: factory page, commissioning and channels around the real engine, with a client over aws-lc-rs.

mod rig;

use coloa_engine::Peer;
use coloa_store_testkit::Fault;
use coloa_wire::command::{AuditRead, Lifecycle, Pin, TokenInitialize, TokenList};
use coloa_wire::frame::FrameKind;
use coloa_wire::hello::Body;
use coloa_wire::{ErrorCode, Frame};

use rig::{Board, Client};

#[test]
fn the_pages_client_finds_one_token_and_initialises_it() {
    let board = Board::new();
    let mut client = Client::of(&board);
    assert_eq!(client.hello().body, Body::EmulatedBoard);
    let tokens = client.call(&TokenList {}).unwrap().tokens;
    assert_eq!(tokens.len(), 1);
    let (partition, label) = (tokens[0].partition, "court".to_string());
    let initialize = TokenInitialize { partition, so_pin: Pin(b"12345678".to_vec()), label };
    client.call(&initialize).unwrap();
    let token = &client.call(&TokenList {}).unwrap().tokens[0];
    assert!(token.initialized && token.label == "court");
}

#[test]
fn another_client_of_the_same_authority_sees_nothing_and_administers_nothing() {
    let board = Board::new();
    let mut stranger = Client::stranger(&board);
    stranger.hello();
    assert!(stranger.call(&TokenList {}).unwrap().tokens.is_empty());
    assert_eq!(stranger.call(&AuditRead { from: 1, max: 1 }).err(), Some(ErrorCode::ChannelForbidden));
}

#[test]
fn a_commissioned_board_writes_nothing_at_its_next_boot() {
    let board = Board::new();
    let commits = board.store.commits();
    let board = board.restarted();
    board.commission().unwrap();
    assert_eq!(board.store.commits(), commits);
}

#[test]
fn commissioning_survives_a_power_cut_at_any_commit() {
    let fresh = Board::uncommissioned();
    let before = fresh.store.commits();
    fresh.commission().unwrap();
    let steps = fresh.store.commits() - before;
    assert!(steps >= 3, "device, partition and client");
    for (step, fault) in (0..steps).flat_map(|step| [(step, Fault::CutBefore), (step, Fault::CutAfter)]) {
        let board = Board::uncommissioned();
        board.store.fail_commit(step, fault);
        assert!(board.commission().is_err());
        board.store.power_on();
        let board = board.restarted();
        board.commission().unwrap();
        let mut client = Client::of(&board);
        client.hello();
        assert_eq!(client.call(&TokenList {}).unwrap().tokens.len(), 1, "{fault:?} at commit {step}");
        assert_eq!(board.engine.lifecycle(), Lifecycle::Operational);
    }
}

#[test]
fn a_call_before_the_hello_gets_a_fault_and_the_end() {
    let board = Board::new();
    let mut client = Client::of(&board);
    assert_eq!(client.fault(Frame::status(FrameKind::Call, 0x0201, 1)), ErrorCode::HelloExpected);
    assert!(client.is_closed());
}

#[test]
fn a_frame_longer_than_the_board_takes_ends_the_channel() {
    let board = Board::new();
    let mut client = Client::of(&board);
    client.hello();
    let head = vec![0; 9000];
    let long = Frame { head: &head, ..Frame::status(FrameKind::Call, 0x0201, 2) };
    assert_eq!(client.fault(long), ErrorCode::FrameTooLong);
    assert!(client.is_closed());
}

#[test]
fn a_repeated_request_number_ends_the_channel() {
    let board = Board::new();
    let mut client = Client::of(&board);
    client.hello();
    client.call(&TokenList {}).unwrap();
    assert_eq!(client.fault(Frame::status(FrameKind::Call, 0x0201, 1)), ErrorCode::RequestRepeated);
}

#[test]
fn many_frames_in_one_record_are_answered_in_order() {
    let board = Board::new();
    let mut client = Client::of(&board);
    client.hello();
    assert_eq!(client.pipelined(&TokenList {}, 50), 50);
    assert!(matches!(client.channel.peer(), Some(Peer::Client { .. })));
}
