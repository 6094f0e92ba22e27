//! Archives of an enemy, and the power cut at every write: the device is empty or complete, never between (R20).

mod rig;

use coloa_engine::archive::{Outline, chunk_length};
use coloa_engine::{Crypto, Hash, Platform};
use coloa_store_testkit::{Fault, RamStore};
use coloa_wire::command::*;
use coloa_wire::{AttributeType as A, ErrorCode, ObjectId, PartitionId};
use rig::backups::*;
use rig::*;

/// A small token's archive and the shares, with what must come back.
struct Case {
    archive: Chunks,
    shares: Vec<Vec<u8>>,
    partition: PartitionId,
    object: ObjectId,
}

fn case() -> Case {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let shares = backup_key(&engine);
    let object = user(&engine, partition).data_object("kept", b"value").unwrap();
    Case { archive: full(&engine), shares, partition, object }
}

/// Gives whatever bytes there are, in chunks as their lengths say.
fn give_bytes(engine: &RamEngine, case: &Case, bytes: &[u8]) -> Result<BackupRestoreFinishReply, ErrorCode> {
    let (mut rest, mut chunks) = (bytes, Chunks::new());
    while !rest.is_empty() {
        let length = chunk_length(rest)?.unwrap_or(rest.len()).min(rest.len());
        chunks.push(rest[..length].to_vec());
        rest = &rest[length..];
    }
    restore(engine, &[&chunks], [&case.shares[0], &case.shares[1]])
}

fn refused(engine: &RamEngine, store: &RamStore, case: &Case, bytes: &[u8], what: &str) {
    let outcome = give_bytes(engine, case, bytes);
    assert!(outcome.is_err(), "{what}");
    // What was given without an error, but not finished, is given up.
    operator(engine).call(&BackupRestoreAbort {}).unwrap();
    assert!(is_empty(engine, store), "{what}: something stayed");
}

/// Each byte of the archive, changed: refused, and nothing stays.
#[test]
fn every_changed_byte_is_found() {
    let case = case();
    let (whole, store) = (case.archive.concat(), RamStore::new());
    let engine = second(&store);
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        refused(&engine, &store, &case, &bytes, &format!("byte {at}"));
    }
    assert!(give_bytes(&engine, &case, &whole).is_ok(), "the whole one is taken");
}

/// Who has no key but writes the links and the chain anew: what anybody can compute proves nothing.
#[test]
fn who_mends_the_chain_without_the_key_is_found() {
    let case = case();
    let store = RamStore::new();
    let engine = second(&store);
    let crypto = engine.platform().crypto();
    for number in 0..case.archive.len() {
        for at in 5..case.archive[number].len() - LINK {
            let mut chunks = case.archive.clone();
            chunks[number][at] ^= 1 << (at % 8);
            mend(crypto, &mut chunks);
            refused(&engine, &store, &case, &chunks.concat(), &format!("chunk {number}, byte {at}"));
        }
    }
    let mut whole = case.archive.clone();
    mend(crypto, &mut whole);
    assert_eq!(whole, case.archive, "mending what is whole changes nothing");
}

/// Bytes of a chunk's link.
const LINK: usize = 8;

/// Computes every link anew, as the archive's format says.
fn mend(crypto: &Hooked, chunks: &mut Chunks) {
    let mut chain = b"coloa archive v1".to_vec();
    for chunk in chunks {
        let end = chunk.len() - LINK;
        chain = crypto.digest(Hash::Sha256, &[&chain, &chunk[..end]]).as_ref().to_vec();
        chunk[end..].copy_from_slice(&chain[..LINK]);
    }
}

/// Cut off anywhere, lengthened, reordered, doubled, with a chunk left out or one of another archive.
#[test]
fn an_archive_that_is_not_whole_is_refused() {
    let (mine, other) = (case(), case());
    let (whole, store) = (mine.archive.concat(), RamStore::new());
    let engine = second(&store);
    for length in 0..whole.len() {
        refused(&engine, &store, &mine, &whole[..length], &format!("{length} bytes"));
    }
    let count = mine.archive.len();
    assert!(count >= 4, "header, records, catalogue, footer");
    for at in 0..count {
        let without: Chunks = (0..count).filter(|n| *n != at).map(|n| mine.archive[n].clone()).collect();
        refused(&engine, &store, &mine, &without.concat(), &format!("without chunk {at}"));
        let mut twice = mine.archive.clone();
        twice.insert(at, mine.archive[at].clone());
        refused(&engine, &store, &mine, &twice.concat(), &format!("chunk {at} twice"));
        let mut mixed = mine.archive.clone();
        mixed[at] = other.archive[at].clone();
        refused(&engine, &store, &mine, &mixed.concat(), &format!("chunk {at} of another archive"));
        for with in at + 1..count {
            let mut swapped = mine.archive.clone();
            swapped.swap(at, with);
            refused(&engine, &store, &mine, &swapped.concat(), &format!("chunks {at} and {with} swapped"));
        }
    }
}

/// Without a key, the first chunk that cannot be right is named.
#[test]
fn the_outline_names_the_place() {
    let case = case();
    let engine = start(&RamStore::new()).unwrap();
    let crypto = engine.platform().crypto();
    let whole = case.archive.concat();
    let outline = Outline::read(crypto, &whole).unwrap();
    assert_eq!((outline.header.holders.len(), outline.footer.puts), (3, 3));
    let mut begins = 0;
    for (number, chunk) in case.archive.iter().enumerate() {
        for at in [begins + 6, begins + chunk.len() - 1] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            let damage = Outline::read(crypto, &bytes).err().map(|d| (d.chunk, d.at));
            assert_eq!(damage, Some((number as u64, begins)), "byte {at}");
        }
        assert!(Outline::read(crypto, &whole[..begins]).is_err());
        begins += chunk.len();
    }
    assert!(Outline::read(crypto, &[&whole[..], b"more"].concat()).is_err());
}

/// An incremental archive that does not build on the last one, or comes first.
#[test]
fn a_link_that_is_missing_or_foreign_is_refused() {
    let store = RamStore::new();
    let engine = start(&store).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let shares = backup_key(&engine);
    let caller = user(&engine, partition);
    let base = full(&engine);
    caller.data_object("one", b"1").unwrap();
    let one = incremental(&engine, &base);
    caller.data_object("two", b"2").unwrap();
    let two = incremental(&engine, &one);
    let place = RamStore::new();
    let empty = second(&place);
    for (archives, what) in
        [(vec![&base, &two], "one left out"), (vec![&one, &two], "no full one"), (vec![&base, &one, &one], "one twice")]
    {
        let outcome = restore(&empty, &archives, [&shares[0], &shares[1]]);
        assert_eq!(outcome.err(), Some(ErrorCode::ArchiveForeign), "{what}");
        assert!(is_empty(&empty, &place), "{what}");
    }
    let other = case();
    assert_eq!(begin_incremental(&engine, &other.archive).err(), Some(ErrorCode::ArchiveForeign));
    let mut changed = base.clone();
    let catalogue = changed.len() - 2;
    let middle = changed[catalogue].len() / 2;
    changed[catalogue][middle] ^= 1;
    let place = Some(CataloguePlace { chain: [7; 32], chunks: catalogue as u64 });
    let operator = operator(&engine);
    operator.call_with(&BackupExportBegin { base: place }, &changed[0]).unwrap();
    assert_eq!(operator.call_with(&BackupExportBase {}, &changed[catalogue]).err(), Some(ErrorCode::ArchiveInvalid));
    assert_eq!(pages(&engine).err(), Some(ErrorCode::ExportNotBegun));
}

/// The power goes before or after each write of a restore, and comes back: the device is empty, and restores, or it is complete.
#[test]
fn a_power_cut_leaves_the_empty_or_the_complete_state() {
    let case = case();
    let writes = {
        let store = RamStore::new();
        let engine = second(&store);
        let before = store.commits();
        give_bytes(&engine, &case, &case.archive.concat()).unwrap();
        store.commits() - before
    };
    assert!(writes >= 3, "begun, staged, switched");
    let (mut empty, mut complete) = (0, 0);
    for fault in [Fault::CutBefore, Fault::CutAfter] {
        for nth in 0..writes {
            let store = RamStore::new();
            let engine = second(&store);
            store.fail_commit(nth, fault);
            assert!(give_bytes(&engine, &case, &case.archive.concat()).is_err(), "{fault:?} at {nth}");
            drop(engine);
            store.power_on();
            let engine = start_with_root_key(&store, [9; 32]).unwrap();
            if operator(&engine).call(&TokenList {}).unwrap().tokens.is_empty() {
                assert!(is_empty(&engine, &store), "{fault:?} at {nth}: leftovers");
                give_bytes(&engine, &case, &case.archive.concat()).unwrap();
                empty += 1;
            } else {
                complete += 1;
            }
            user(&engine, case.partition).shows(case.object, A::LABEL, &b"kept"[..]);
        }
    }
    assert!(complete == 1 && empty + complete == 2 * writes, "{empty} empty, {complete} complete");
}

/// The power goes again while leftovers are erased: nobody sees them, and the next start erases them.
#[test]
fn leftovers_are_erased_however_often_the_power_goes() {
    let case = case();
    let store = RamStore::new();
    let engine = second(&store);
    begin(&engine, &case.archive[0], false).unwrap();
    give(&engine, &case.shares[0]).unwrap();
    give(&engine, &case.shares[1]).unwrap();
    give_pages(&engine, &case.archive[1..2]).unwrap();
    assert!(operator(&engine).call(&TokenList {}).unwrap().tokens.is_empty(), "staged is not seen");
    drop(engine);
    for nth in 0..2 {
        store.fail_commit(nth, Fault::CutBefore);
        let engine = start_with_root_key(&store, [9; 32]);
        drop(engine);
        store.power_on();
    }
    let engine = start_with_root_key(&store, [9; 32]).unwrap();
    assert!(is_empty(&engine, &store));
}

/// The disk is full half way: refused clearly, and what was staged goes.
#[test]
fn a_full_disk_ends_a_restore_cleanly() {
    let case = case();
    let store = RamStore::new();
    let engine = second(&store);
    store.fail_commit(1, Fault::Full);
    assert_eq!(give_bytes(&engine, &case, &case.archive.concat()).err(), Some(ErrorCode::StoreFull));
    assert!(is_empty(&engine, &store));
    give_bytes(&engine, &case, &case.archive.concat()).unwrap();
}
