//! Archives of an enemy: whatever the bytes are, reading an outline never panics and names a place inside; a true archive with
//! some bytes changed and every link computed anew is never taken for a true one, and the engine that refuses it goes on.
#![no_main]

use coloa_crypto_native::Native;
use coloa_engine::archive::{Outline, chunk_length, header};
use coloa_engine::{Crypto, Engine, Hash, Limits, Peer, Platform, Timestamp};
use coloa_store_testkit::RamStore;
use coloa_wire::command::{self, *};
use coloa_wire::hello::Body;
use coloa_wire::{Command, Frame, FrameKind};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use zeroize::Zeroizing;

/// Bytes of a chunk's link.
const LINK: usize = 8;

struct Ram {
    store: RamStore,
    root_key: Zeroizing<[u8; 32]>,
    clock: AtomicU64,
}

impl Platform for Ram {
    type Crypto = Native;
    type Store = RamStore;
    type Lock = parking_lot::RawRwLock;
    fn crypto(&self) -> &Native {
        &Native
    }
    fn store(&self) -> &RamStore {
        &self.store
    }
    fn now(&self) -> Timestamp {
        Timestamp(self.clock.fetch_add(7, Ordering::Relaxed))
    }
    fn root_key(&self) -> &Zeroizing<[u8; 32]> {
        &self.root_key
    }
    fn body(&self) -> Body {
        Body::Embedded
    }
    fn limits(&self) -> Limits {
        Limits { audit_records: 64, ..Limits::HOST }
    }
}

struct Bench {
    engine: Engine<Ram>,
    archive: Vec<Vec<u8>>,
}

/// The number of the reply, its head and its bulk.
fn call<C: Command>(engine: &Engine<Ram>, request: &C, bulk: &[u8]) -> (u16, Option<C::Reply>, Vec<u8>) {
    let (mut head, mut bytes, mut reply) = (Vec::new(), Vec::new(), Vec::new());
    command::encode_head(request, &mut head);
    Frame { head: &head, bulk, ..Frame::status(FrameKind::Call, C::CODE as u16, 1) }.encode(&mut bytes);
    engine.handle(&Peer::Administrator("operator".into()), &bytes, &mut reply);
    let reply = Frame::parse(&reply).expect("a whole frame");
    (reply.code, command::decode_head(reply.head).ok(), reply.bulk.to_vec())
}

fn bench() -> Bench {
    let (store, root_key) = (RamStore::new(), Zeroizing::new([7; 32]));
    let platform = Ram { store, root_key, clock: AtomicU64::new(1_700_000_000_000) };
    let Ok(engine) = Engine::start(platform) else { panic!("the engine starts") };
    call(&engine, &DeviceInitialize { label: "fuzz".into() }, &[]);
    call(&engine, &PartitionCreate { label: "token".into(), mode: PartitionMode::Strict, approved_only: None }, &[]);
    call(&engine, &BackupKeyCreate { threshold: 2, holders: vec!["a".into(), "b".into()] }, &[]);
    call(&engine, &BackupExportBegin { base: None }, &[]);
    let mut archive = Vec::new();
    loop {
        let (_, reply, chunk) = call(&engine, &BackupExportPage { chunk: archive.len() as u64 }, &[]);
        archive.push(chunk);
        if reply.expect("a page").last {
            return Bench { engine, archive };
        }
    }
}

/// Computes every link anew.
fn mend(chunks: &mut [Vec<u8>]) {
    let mut chain = b"coloa archive v1".to_vec();
    for chunk in chunks {
        let end = chunk.len() - LINK;
        chain = Native.digest(Hash::Sha256, &[&chain, &chunk[..end]]).as_ref().to_vec();
        chunk[end..].copy_from_slice(&chain[..LINK]);
    }
}

/// Whether the engine finds it authentic; it has the key.
fn verifies(engine: &Engine<Ram>, chunks: &[Vec<u8>]) -> bool {
    let given = call(engine, &BackupRestoreBegin { verify_only: true }, &chunks[0]).0 == 0
        && chunks[1..].iter().all(|chunk| call(engine, &BackupRestorePage {}, chunk).0 == 0);
    given && call(engine, &BackupRestoreFinish {}, &[]).0 == 0
}

fn changed(bench: &Bench, input: &[u8]) {
    let mut chunks = bench.archive.clone();
    for edit in input.chunks_exact(4) {
        let chunk = usize::from(edit[0]) % chunks.len();
        let length = chunks[chunk].len() - LINK;
        let at = usize::from(u16::from_be_bytes([edit[1], edit[2]])) % length;
        chunks[chunk][at] ^= edit[3];
    }
    mend(&mut chunks);
    assert_eq!(verifies(&bench.engine, &chunks), chunks == bench.archive);
    assert_eq!(bench.engine.lifecycle(), Lifecycle::Operational);
}

static BENCH: OnceLock<Bench> = OnceLock::new();

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((what, rest)) = input.split_first() else { return };
    if what & 1 == 0 {
        let _ = (header(rest), chunk_length(rest));
        match Outline::read(&Native, rest) {
            Ok(outline) => assert!(outline.footer.chunks >= 1 && outline.catalogue.2 < rest.len()),
            Err(damage) => assert!(damage.at <= rest.len()),
        }
        return;
    }
    changed(BENCH.get_or_init(bench), rest);
});
