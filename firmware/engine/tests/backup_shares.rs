//! Shares of the master backup key (R2, R3): any M of N restore, M-1 do not, and each wrong one is named.

mod rig;

use coloa_store_testkit::RamStore;
use coloa_wire::command::*;
use coloa_wire::{CommandCode, ErrorCode};
use proptest::prelude::*;
use proptest::sample::subsequence;
use rig::backups::*;
use rig::*;

/// A device with a key of so many shares, an archive of it, and the shares.
fn made(threshold: u8, count: u8) -> (Chunks, Vec<Vec<u8>>) {
    let engine = start(&RamStore::new()).unwrap();
    let operator = operator(&engine);
    operator.call(&DeviceInitialize { label: "test".into() }).unwrap();
    let holders = (1..=count).map(|n| format!("holder {n}")).collect();
    operator.call(&BackupKeyCreate { threshold, holders }).unwrap();
    let shares = (1..=count).map(|index| operator.call_with(&BackupShareTake { index }, &[]).unwrap().1).collect();
    (full(&engine), shares)
}

fn verifies(engine: &RamEngine, archive: &Chunks, shares: &[&Vec<u8>]) -> Result<(), ErrorCode> {
    begin(engine, &archive[0], true)?;
    for share in shares {
        assert_eq!(give(engine, share)?.verdict, ShareVerdict::Accepted);
    }
    give_pages(engine, &archive[1..])?;
    operator(engine).call(&BackupRestoreFinish {}).map(drop)
}

/// A threshold, a number of shares, and which of them come.
fn choices() -> impl Strategy<Value = (u8, u8, Vec<usize>)> {
    (2..=16u8).prop_flat_map(|count| (2..=count, Just(count))).prop_flat_map(|(threshold, count)| {
        let all: Vec<_> = (0..usize::from(count)).collect();
        (Just(threshold), Just(count), subsequence(all, usize::from(threshold)).prop_shuffle())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// R2
    #[test]
    fn any_m_of_n_restore_and_one_fewer_does_not((threshold, count, chosen) in choices()) {
        let (archive, shares) = made(threshold, count);
        let engine = second(&RamStore::new());
        let mut given: Vec<_> = chosen.iter().map(|at| &shares[*at]).collect();
        prop_assert_eq!(verifies(&engine, &archive, &given), Ok(()));
        given.pop();
        prop_assert_eq!(verifies(&engine, &archive, &given), Err(ErrorCode::RestoreNotBegun));
    }

    /// R3: whatever is changed in a share, it is not taken, and the others still are.
    #[test]
    fn a_changed_share_is_never_accepted(at in 0usize..200, bit in 0u8..8) {
        let (archive, shares) = made(2, 3);
        let engine = second(&RamStore::new());
        begin(&engine, &archive[0], true).unwrap();
        let mut changed = shares[1].clone();
        let at = at % changed.len();
        changed[at] ^= 1 << bit;
        let reply = give(&engine, &changed).unwrap();
        prop_assert!(reply.verdict != ShareVerdict::Accepted && reply.given == 0);
        give(&engine, &shares[0]).unwrap();
        prop_assert_eq!(give(&engine, &shares[1]).unwrap().wanted, 0);
    }
}

/// Somebody with the right value under another name or number is not its holder.
#[test]
fn a_share_under_another_name_is_altered() {
    let (archive, shares) = made(2, 3);
    let engine = second(&RamStore::new());
    begin(&engine, &archive[0], true).unwrap();
    let mut renamed = shares[1].clone();
    let at = renamed.windows(8).position(|w| w == b"holder 2").unwrap();
    renamed[at + 7] = b'1';
    let reply = give(&engine, &renamed).unwrap();
    assert_eq!((reply.verdict, reply.holder.as_str()), (ShareVerdict::Altered, "holder 1"));
}

/// R18: who took which act is in the log, and no share.
#[test]
fn the_log_says_who_took_shares_and_holds_none() {
    let engine = start(&RamStore::new()).unwrap();
    operator(&engine).call(&DeviceInitialize { label: "test".into() }).unwrap();
    let shares = backup_key(&engine);
    let log = audit_log(&engine);
    let count = |code: CommandCode| log.iter().filter(|r| r.event.action == code as u16 && r.event.result == 0).count();
    assert_eq!((count(CommandCode::BackupKeyCreate), count(CommandCode::BackupShareTake)), (1, 3));
    let value = |share: &[u8]| share[share.len() - 32..].to_vec();
    let log: Vec<u8> = log.iter().flat_map(|r| minicbor::to_vec(r).unwrap()).collect();
    assert!(shares.iter().all(|share| !log.windows(32).any(|w| w == value(share))));
}

/// R9: what was handed out is not in the store any more, sealed or not, and no share ever is in plaintext.
#[test]
fn a_taken_share_is_gone_from_the_record() {
    let store = RamStore::new();
    let engine = start(&store).unwrap();
    operator(&engine).call(&DeviceInitialize { label: "test".into() }).unwrap();
    let size = || store.image().live().into_iter().find(|r| r.id.kind == 13).and_then(|r| r.value).unwrap().len();
    operator(&engine).call(&BackupKeyCreate { threshold: 2, holders: vec!["a".into(), "b".into()] }).unwrap();
    let before = size();
    let (_, share) = operator(&engine).call_with(&BackupShareTake { index: 1 }, &[]).unwrap();
    assert!(size() + 32 < before, "the record has lost the share");
    let value = &share[share.len() - 32..];
    let all = store.image().live().into_iter().filter_map(|r| r.value);
    assert!(all.flatten().collect::<Vec<_>>().windows(32).all(|w| w != value));
}
