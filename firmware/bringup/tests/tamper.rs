//! A board whose case is opened (R15): what a cut of power leaves, and who has it run again.

mod flash;

use coloa_bringup::counter;
use coloa_bringup::layout::{FACTORY, RETURN, TAMPERS, TESTAMENT};
use coloa_bringup::tamper::{Tampered, events, returned, strike, testament_bytes};
use coloa_crypto_native::Native;
use coloa_engine::Crypto;
use coloa_engine::crypto::{Curve, Hash, KeyKind, PairKind, Scheme};
use coloa_image::{Custodian, Manifest, Refusal, Statement, Trust, Version, Voice, key_id};
use flash::Flash;

const P384: PairKind = PairKind::Ec(Curve::P384);
const SECRET: &[u8] = b"the root key, in the clear";

fn secret(n: u8) -> Vec<u8> {
    [vec![0; 47], vec![n]].concat()
}

fn public(n: u8) -> Vec<u8> {
    Native.public(P384, &secret(n)).unwrap()
}

/// A board as it left the factory.
fn board() -> Flash {
    let mut flash = Flash::new();
    provision(&mut flash, 0);
    let custodian = |n| Custodian { name: format!("{n}"), key: public(n) };
    let testament = testament_bytes(&Trust::new(2, (1..=3).map(custodian).collect()).unwrap());
    flash.cells[TESTAMENT.start as usize..][..testament.len()].copy_from_slice(&testament);
    flash
}

/// Writes a page with a secret in it.
fn provision(flash: &mut Flash, n: u8) {
    let page = &mut flash.cells[FACTORY.start as usize..FACTORY.end as usize];
    page.fill(0xff);
    page[..5].copy_from_slice(&[b'C', b'L', b'F', b'P', n]);
    page[30_000..][..SECRET.len()].copy_from_slice(SECRET);
}

/// What custodians sign of the page that is there.
fn allow(flash: &mut Flash, body: &str, event: u32, by: &[u8]) {
    let page = &flash.cells[FACTORY.start as usize..FACTORY.end as usize];
    let digest = Native.digest(Hash::Sha384, &[page]).as_ref().try_into().unwrap();
    let (version, lowest) = (Version(event), Version(0));
    let statement = Statement { body: body.into(), version, lowest, length: page.len() as u64, digest };
    let mut manifest = Manifest::new(statement).unwrap();
    for n in by {
        let key = Native.load(KeyKind::Pair(P384), &secret(*n)).unwrap();
        let text = Native.digest(Hash::Sha384, &[&manifest.text()]);
        let signature = Native.sign(&key, Scheme::Ecdsa, text.as_ref()).unwrap().try_into().unwrap();
        manifest.add(Voice { key: key_id(&Native, &public(*n)), signature }).unwrap();
    }
    let bytes = manifest.to_bytes();
    let place = &mut flash.cells[RETURN.start as usize..RETURN.end as usize];
    place.fill(0xff);
    place[..bytes.len()].copy_from_slice(&bytes);
}

fn boot(flash: &mut Flash) -> Result<(), Tampered> {
    returned(flash, &Native, "test-board")
}

fn holds_secret(flash: &Flash) -> bool {
    flash.cells[..FACTORY.end as usize].windows(SECRET.len()).any(|window| window == SECRET)
}

#[test]
fn a_board_that_was_not_tampered_with_runs() {
    let mut flash = board();
    assert_eq!(boot(&mut flash), Ok(()));
    assert!(holds_secret(&flash));
}

#[test]
fn an_opened_board_has_no_secret_and_runs_when_a_quorum_has_allowed_its_new_page() {
    let mut flash = board();
    strike(&mut flash).unwrap();
    assert!(!holds_secret(&flash));
    assert_eq!(boot(&mut flash), Err(Tampered { events: 1, why: Refusal::Missing }));
    // A new page alone is destroyed too, and so is one that too few have allowed.
    provision(&mut flash, 1);
    boot(&mut flash).unwrap_err();
    assert!(!holds_secret(&flash));
    provision(&mut flash, 1);
    allow(&mut flash, "test-board-return", 1, &[2]);
    assert_eq!(boot(&mut flash).unwrap_err().why, Refusal::Quorum { valid: 1, needed: 2 });
    assert!(!holds_secret(&flash));
    provision(&mut flash, 1);
    allow(&mut flash, "test-board-return", 1, &[2, 3]);
    assert_eq!(boot(&mut flash), Ok(()));
    assert_eq!(events(&mut flash), Ok(1), "what happened is never forgotten");
}

/// What a quorum allowed once, or for something else, allows nothing more.
#[test]
fn an_allowance_is_for_one_event_and_one_page() {
    let mut flash = board();
    strike(&mut flash).unwrap();
    provision(&mut flash, 1);
    allow(&mut flash, "test-board-return", 1, &[1, 2]);
    boot(&mut flash).unwrap();
    // Another page under the same allowance.
    let mut other = flash.clone();
    provision(&mut other, 2);
    assert_eq!(boot(&mut other).unwrap_err().why, Refusal::Digest);
    // Another event, with the same page put back.
    strike(&mut flash).unwrap();
    provision(&mut flash, 1);
    boot(&mut flash).unwrap_err();
    // A later number allows nothing before its time, and a firmware release is no return.
    for (body, event) in [("test-board-return", 3), ("test-board", 2)] {
        provision(&mut flash, 1);
        allow(&mut flash, body, event, &[1, 2]);
        boot(&mut flash).unwrap_err();
        assert!(!holds_secret(&flash), "{body} {event}");
    }
}

/// The power fails at any byte of the event: before it, or the next boot finishes it.
#[test]
fn power_lost_at_any_byte_leaves_no_secret_behind_an_event() {
    let budgets = (0..40).chain((40..4096).step_by(509)).chain((30_000..30_100).step_by(7)).chain([65_000, 70_000]);
    for budget in budgets {
        let mut flash = board();
        flash.budget = budget;
        let _ = strike(&mut flash);
        flash.budget = usize::MAX;
        match events(&mut flash).unwrap() {
            0 => assert!(budget < 8, "the first write says that it happened: {budget}"),
            _ => {
                boot(&mut flash).unwrap_err();
                assert!(!holds_secret(&flash), "{budget}");
            }
        }
    }
}

/// Flash that cannot count any more still loses the page.
#[test]
fn a_counter_at_its_end_saves_no_secret() {
    let mut flash = board();
    counter::raise(&mut flash, &TAMPERS, u32::MAX).unwrap();
    let _ = strike(&mut flash);
    assert!(!holds_secret(&flash));
    boot(&mut flash).unwrap_err();
}
