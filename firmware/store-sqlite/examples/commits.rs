//! How many records a second the store commits, alone and shared, and what asking for the generation costs.
//!
//! `cargo run --release -p coloa-store-sqlite --example commits [DIRECTORY]`: the directory decides which disk is measured.

use coloa_engine::{RecordId, Store, Write};
use coloa_store_sqlite::{Sharing, SqliteStore};
use std::path::Path;
use std::time::{Duration, Instant};

/// As the engine's writer groups them.
const BATCHES: [u8; 4] = [1, 8, 32, 64];
const TIME: Duration = Duration::from_secs(2);
const CALLS: u32 = 200_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let at = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let dir = tempfile::tempdir_in(at)?;
    for batch in BATCHES {
        let store = SqliteStore::open(&dir.path().join(format!("store-{batch}")), Sharing::Exclusive)?;
        let (records, worst) = commit(&store, batch)?;
        println!("{batch:3} records a commit: {records:7.0} records/s, slowest commit {worst:?}");
    }
    generation(&dir.path().join("shared"))
}

fn commit(store: &SqliteStore, batch: u8) -> Result<(f64, Duration), Box<dyn std::error::Error>> {
    let value = [0x5a; 400];
    let (start, mut generation, mut worst) = (Instant::now(), 0_u64, Duration::ZERO);
    while start.elapsed() < TIME {
        let writes: Vec<Write<'_>> = (0..batch)
            .map(|n| {
                let mut id = [n; 16];
                id[..8].copy_from_slice(&(generation % 4096).to_be_bytes());
                Write { id: RecordId { partition: [1; 16], kind: 2, id }, version: generation, value: Some(&value) }
            })
            .collect();
        let before = Instant::now();
        store.commit(generation, &writes).map_err(|error| format!("commit: {error:?}"))?;
        worst = worst.max(before.elapsed());
        generation += 1;
    }
    let records = generation as f64 * f64::from(batch) / start.elapsed().as_secs_f64();
    Ok((records, worst))
}

fn generation(path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let store = SqliteStore::open(path, Sharing::Shared)?;
    let start = Instant::now();
    for _ in 0..CALLS {
        store.generation().map_err(|error| format!("generation: {error:?}"))?;
    }
    println!("generation() of a shared store: {:?}", start.elapsed() / CALLS);
    Ok(())
}
