//! Login tickets: the login of a session that was lost, without the PIN; for its owner, on its token, for a day.

mod rig;

use coloa_store_testkit::RamStore;
use coloa_wire::command::*;
use coloa_wire::{CommandCode, ErrorCode, LoginTicket, PartitionId};
use rig::*;

const NOW: u64 = 1_800_000_000_000;
const HOUR: u64 = 3_600_000;
const REFUSED: Option<ErrorCode> = Some(ErrorCode::NotLoggedIn);

/// An engine whose clock is set.
fn started(store: &RamStore, now: u64) -> RamEngine {
    let engine = start(store).unwrap();
    engine.platform().set_clock(now);
    engine
}

fn ticket(caller: &Caller<'_>) -> LoginTicket {
    caller.call(&TicketIssue {}).unwrap().ticket.unwrap()
}

/// A session of this caller, and what comes of the ticket in it.
fn by_ticket(engine: &RamEngine, n: u8, partition: PartitionId, ticket: &LoginTicket) -> Option<ErrorCode> {
    let mut caller = Caller::new(engine, client(n));
    caller.open(partition).unwrap();
    let outcome = caller.call(&TicketLogin { ticket: ticket.clone() }).err();
    assert_eq!(caller.generate_ec(P256, "key", false).is_ok(), outcome.is_none());
    outcome
}

#[test]
fn the_login_comes_back_after_a_restart() {
    let store = RamStore::new();
    let engine = started(&store, NOW);
    let partition = token(&engine, PartitionMode::Strict);
    let caller = user(&engine, partition);
    let ticket = ticket(&caller);
    assert_eq!(caller.call(&TicketLogin { ticket: ticket.clone() }).err(), Some(ErrorCode::AlreadyLoggedIn));
    drop(engine);
    let engine = started(&store, NOW + HOUR);
    assert_eq!(by_ticket(&engine, 1, partition, &ticket), None);
    let tried = audit_log(&engine).into_iter().map(|record| (record.event.action, record.event.result));
    assert!(tried.into_iter().any(|did| did == (CommandCode::TicketLogin as u16, 0)));
}

#[test]
fn a_ticket_is_its_callers_on_its_token_for_a_day() {
    let store = RamStore::new();
    let engine = started(&store, NOW);
    let (partition, other) = (token(&engine, PartitionMode::Strict), token(&engine, PartitionMode::Strict));
    let ticket = ticket(&user(&engine, partition));
    assert_eq!(by_ticket(&engine, 1, other, &ticket), REFUSED);
    for n in 0..ticket.0.len() {
        let mut altered = ticket.clone();
        altered.0[n] ^= 1;
        assert_eq!(by_ticket(&engine, 1, partition, &altered), REFUSED, "byte {n}");
    }
    for (now, outcome) in
        [(NOW - 10 * HOUR, REFUSED), (NOW + 23 * HOUR, None), (NOW + 25 * HOUR, REFUSED), (0, REFUSED)]
    {
        engine.platform().set_clock(now);
        assert_eq!(by_ticket(&engine, 1, partition, &ticket), outcome, "{now}");
    }
}

#[test]
fn another_client_of_the_token_cannot_use_it() {
    let engine = started(&RamStore::new(), NOW);
    let partition = token(&engine, PartitionMode::Strict);
    let identity = client(2).identity().unwrap();
    let bind = ClientBind { partition, identity, name: "two".into() };
    Caller::new(&engine, admin()).call(&bind).unwrap();
    assert_eq!(by_ticket(&engine, 2, partition, &ticket(&user(&engine, partition))), REFUSED);
}

#[test]
fn it_ends_with_the_pin_and_rests_while_the_pin_is_locked() {
    let engine = started(&RamStore::new(), NOW);
    let partition = token(&engine, PartitionMode::Strict);
    let caller = user(&engine, partition);
    let ticket = ticket(&caller);
    let wrong = || Caller::new(&engine, client(1));
    loop {
        let mut guess = wrong();
        guess.open(partition).unwrap();
        if guess.log_in(Role::User, b"wrong pin").err() == Some(ErrorCode::PinLocked) {
            break;
        }
    }
    assert_eq!(by_ticket(&engine, 1, partition, &ticket), Some(ErrorCode::PinLocked));
    let mut officer = wrong();
    officer.open(partition).unwrap();
    officer.log_in(Role::SecurityOfficer, SO_PIN).unwrap();
    // The same PIN, but set anew.
    officer.call(&UserPinInitialize { pin: USER_PIN.into() }).unwrap();
    assert_eq!(by_ticket(&engine, 1, partition, &ticket), REFUSED);
}

#[test]
fn only_who_is_logged_in_gets_one_and_only_from_who_knows_the_time() {
    let engine = started(&RamStore::new(), NOW);
    let partition = token(&engine, PartitionMode::Strict);
    let caller = user(&engine, partition);
    engine.platform().set_clock(1_000);
    assert_eq!(caller.call(&TicketIssue {}).unwrap().ticket, None);
    caller.call(&Logout {}).unwrap();
    assert_eq!(caller.call(&TicketIssue {}).err(), REFUSED);
}
