//! Big and small bodies: an archive of many objects comes in pages, and a board's short frames are long enough.

mod rig;

use coloa_store_testkit::RamStore;
use coloa_wire::AttributeType as A;
use coloa_wire::command::*;
use rig::backups::*;
use rig::*;

/// Several chunks of records, and objects that are cut between two of them.
#[test]
fn many_objects_come_in_pages() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let shares = backup_key(&engine);
    let caller = user(&engine, partition);
    let large = vec![0xa5; 15_000];
    let objects: Vec<_> = (0..40u8).map(|n| caller.data_object(&format!("large {n}"), &large).unwrap()).collect();
    let archive = full(&engine);
    let records = archive.iter().filter(|chunk| chunk[4] == coloa_engine::archive::RECORDS).count();
    assert!(records >= 3, "{records} chunks of records");
    assert!(archive.iter().all(|chunk| chunk.len() < 300 * 1024));
    let second = second(&RamStore::new());
    assert_eq!(restore(&second, &[&archive], [&shares[0], &shares[1]]).unwrap().objects, 40);
    let there = user(&second, partition);
    for (n, object) in objects.iter().enumerate() {
        there.shows(*object, A::LABEL, format!("large {n}").as_bytes());
        there.shows(*object, A::VALUE, &large[..]);
    }
}
