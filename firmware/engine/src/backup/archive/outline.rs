//! What can be said of an archive without its key: that its chunks follow from one another as its end says.

use super::super::share;
use super::*;
use coloa_wire::command::ShareVerdict;

/// What an archive is, as far as anybody can see.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outline {
    /// What it says of itself.
    pub header: Header,
    /// How it ends.
    pub footer: Footer,
    /// Its digest: the last value of the chain.
    pub digest: [u8; 32],
    /// Where the catalogue begins: the chain before it, the chunks before it, and the byte.
    pub catalogue: ([u8; 32], u64, usize),
}

/// Where an archive is not whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Damage {
    /// The chunk, from 0.
    pub chunk: u64,
    /// The byte at which it begins.
    pub at: usize,
}

impl Outline {
    /// Whether a share is the one that this archive's header lists, and whose (R3): nothing is joined. `given` are the names
    /// of those who gave theirs.
    pub fn judge<C: Crypto>(&self, crypto: &C, share: &[u8], given: &[String]) -> (ShareVerdict, String) {
        let Header { key, threshold, holders, .. } = &self.header;
        let judged = share::judge(crypto, share, (*key, *threshold, holders), &[]);
        match judged.verdict {
            ShareVerdict::Accepted if given.contains(&judged.holder) => (ShareVerdict::Repeated, judged.holder),
            verdict => (verdict, judged.holder),
        }
    }

    /// Reads a whole archive. Who changes one and mends its chain is only found with the key.
    ///
    /// # Errors
    /// The first chunk that cannot be right.
    pub fn read<C: Crypto>(crypto: &C, archive: &[u8]) -> Result<Self, Damage> {
        let (mut at, mut chunk) = (0, 0);
        let damage = |chunk, at| Damage { chunk, at };
        let first = next(archive, at).ok_or(damage(chunk, at))?;
        let header = header(first).map_err(|_| damage(chunk, at))?;
        let mut chain = linked(crypto, LABEL, first).map_err(|_| damage(chunk, at))?;
        let mut catalogue = None;
        let mut before = HEADER;
        loop {
            at = at.saturating_add(next(archive, at).map_or(0, <[u8]>::len));
            chunk = chunk.saturating_add(1);
            let bytes = next(archive, at).ok_or(damage(chunk, at))?;
            let (kind, payload) = parts(bytes).map_err(|_| damage(chunk, at))?;
            let after = linked(crypto, &chain, bytes).map_err(|_| damage(chunk, at))?;
            if !follows(before, kind) {
                return Err(damage(chunk, at));
            }
            if kind != RECORDS {
                catalogue.get_or_insert((chain, chunk, at));
            }
            if kind == FOOTER {
                let footer = ending(payload, chunk).ok_or(damage(chunk, at))?;
                let end = at.saturating_add(bytes.len());
                let catalogue = catalogue.filter(|_| end == archive.len()).ok_or(damage(chunk, end))?;
                return Ok(Outline { header, footer, digest: after, catalogue });
            }
            (chain, before) = (after, kind);
        }
    }
}

fn next(archive: &[u8], at: usize) -> Option<&[u8]> {
    let rest = archive.get(at..)?;
    rest.get(..chunk_length(rest).ok()??)
}

fn follows(before: u8, kind: u8) -> bool {
    match kind {
        RECORDS => matches!(before, HEADER | RECORDS),
        CATALOGUE => matches!(before, HEADER | RECORDS | CATALOGUE),
        FOOTER => true,
        _ => false,
    }
}

/// A footer that counts the chunks right.
fn ending(payload: &[u8], chunks: u64) -> Option<Footer> {
    let footer: Footer = whole(payload.get(MAC..)?).ok()?;
    (footer.chunks == chunks).then_some(footer)
}
