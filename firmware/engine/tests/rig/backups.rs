//! Two devices, and what an operator and custodians carry between them.

use super::*;

pub const HOLDERS: [&str; 3] = ["Nguyễn Văn An", "Trần Thị Bình", "Lê Văn Cường"];

/// An archive's chunks.
pub type Chunks = Vec<Vec<u8>>;

pub fn operator(engine: &RamEngine) -> Caller<'_> {
    Caller::new(engine, admin())
}

/// Another device: initialised, empty, with a root key of its own.
pub fn second(store: &RamStore) -> RamEngine {
    let engine = start_with_root_key(store, [9; 32]).unwrap();
    operator(&engine).call(&DeviceInitialize { label: "second".into() }).unwrap();
    engine
}

/// Two of three shares restore.
pub fn backup_key(engine: &RamEngine) -> Vec<Vec<u8>> {
    let operator = operator(engine);
    let holders = HOLDERS.map(String::from).to_vec();
    operator.call(&BackupKeyCreate { threshold: 2, holders }).unwrap();
    (1..=3).map(|index| operator.call_with(&BackupShareTake { index }, &[]).unwrap().1).collect()
}

/// The rest of an export that was begun.
pub fn pages(engine: &RamEngine) -> Result<Chunks, ErrorCode> {
    let mut chunks = Chunks::new();
    loop {
        let request = BackupExportPage { chunk: chunks.len() as u64 };
        let (reply, chunk) = operator(engine).call_with(&request, &[])?;
        chunks.push(chunk);
        if reply.last {
            return Ok(chunks);
        }
    }
}

pub fn full(engine: &RamEngine) -> Chunks {
    operator(engine).call(&BackupExportBegin { base: None }).unwrap();
    pages(engine).unwrap()
}

/// Begins an archive that builds on another.
pub fn begin_incremental(engine: &RamEngine, base: &Chunks) -> Result<(), ErrorCode> {
    let whole = base.concat();
    let outline = coloa_engine::archive::Outline::read(engine.platform().crypto(), &whole).unwrap();
    let (chain, chunks, _) = outline.catalogue;
    let place = Some(CataloguePlace { chain, chunks });
    operator(engine).call_with(&BackupExportBegin { base: place }, &base[0])?;
    for chunk in &base[chunks as usize..] {
        operator(engine).call_with(&BackupExportBase {}, chunk)?;
    }
    Ok(())
}

pub fn incremental(engine: &RamEngine, base: &Chunks) -> Chunks {
    begin_incremental(engine, base).unwrap();
    pages(engine).unwrap()
}

pub fn give(engine: &RamEngine, share: &[u8]) -> Result<BackupShareGiveReply, ErrorCode> {
    operator(engine).call(&BackupShareGive { share: ShareBytes(share.to_vec()) })
}

pub fn begin(engine: &RamEngine, header: &[u8], verify_only: bool) -> Result<BackupRestoreBeginReply, ErrorCode> {
    operator(engine).call_with(&BackupRestoreBegin { verify_only }, header).map(|(reply, _)| reply)
}

pub fn give_pages(engine: &RamEngine, chunks: &[Vec<u8>]) -> Result<(), ErrorCode> {
    chunks.iter().try_for_each(|chunk| operator(engine).call_with(&BackupRestorePage {}, chunk).map(drop))
}

/// Restores archives in their order with two shares.
pub fn restore(
    engine: &RamEngine,
    archives: &[&Chunks],
    shares: [&Vec<u8>; 2],
) -> Result<BackupRestoreFinishReply, ErrorCode> {
    begin(engine, archives[0].first().map_or(&[][..], |h| h), false)?;
    for share in shares {
        give(engine, share)?;
    }
    for (nth, chunks) in archives.iter().enumerate() {
        give_pages(engine, &chunks[usize::from(nth == 0)..])?;
    }
    operator(engine).call(&BackupRestoreFinish {})
}

/// Nothing can be seen, and nothing of a restore is in the store.
pub fn is_empty(engine: &RamEngine, store: &RamStore) -> bool {
    let tokens = operator(engine).call(&TokenList {}).unwrap().tokens;
    let left = store.image().live().into_iter().filter(|r| matches!(r.id.kind, 3 | 4 | 5 | 9 | 14)).count();
    tokens.is_empty() && left == 0
}
