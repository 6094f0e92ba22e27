//! Writing an archive, chunk by chunk.

use super::*;
use crate::Aead;
use crate::crypto::TAG;
use crate::record;
use zeroize::Zeroizing;

/// An archive that is being written.
pub struct Writer<K> {
    header: Header,
    pub(crate) keys: Keys<K>,
    chain: [u8; 32],
    chunks: u64,
    puts: u64,
    deletions: u64,
    content: SetHash,
    /// Items, each with its length before it.
    buffer: Zeroizing<Vec<u8>>,
}

impl<K> Writer<K> {
    /// Begins; the chunk is the header's.
    ///
    /// # Errors
    /// Those of the provider.
    pub(crate) fn begin<C: Crypto<Key = K>>(
        crypto: &C,
        master: &MasterKey,
        header: Header,
    ) -> Result<(Self, Vec<u8>), CryptoError> {
        let keys = Keys::derive(crypto, master, &header.salt)?;
        let encoded = record::encode(&header);
        let mac = keys.mac(crypto, &[b"header", &encoded])?;
        let (chunk, chain) = frame(crypto, LABEL, HEADER, &[&MAGIC, &mac, &encoded]);
        let (content, buffer) = (SetHash::default(), Zeroizing::default());
        Ok((Writer { header, keys, chain, chunks: 1, puts: 0, deletions: 0, content, buffer }, chunk))
    }

    /// What the archive says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Chunks so far.
    pub fn chunks(&self) -> u64 {
        self.chunks
    }

    /// Records so far, deletions with them.
    pub fn records(&self) -> u64 {
        self.puts.saturating_add(self.deletions)
    }

    /// Takes a record in; it is in a chunk once [`Writer::items`] has cut it off.
    pub(crate) fn push<C: Crypto<Key = K>>(&mut self, crypto: &C, item: &Item) -> Result<(), CryptoError> {
        let encoded = record::encode(item);
        let length = u32::try_from(encoded.len()).map_err(|_| CryptoError::Length)?;
        append_wiped(&mut self.buffer, &[&length.to_be_bytes(), &encoded]);
        self.content.add(&self.keys.element(crypto, item)?);
        let count = if item.plain.is_some() { &mut self.puts } else { &mut self.deletions };
        *count = count.saturating_add(1);
        Ok(())
    }

    /// Bytes that wait for a chunk.
    pub(crate) fn waiting(&self) -> usize {
        self.buffer.len()
    }

    /// A chunk of records: what waits, at most so many bytes of it.
    pub(crate) fn items<C: Crypto<Key = K>>(&mut self, crypto: &C, most: usize) -> Result<Vec<u8>, CryptoError> {
        let (now, later) = self.buffer.split_at(most.min(self.buffer.len()));
        let mut plain = Zeroizing::new(Vec::with_capacity(now.len().saturating_add(TAG)));
        plain.extend_from_slice(now);
        self.buffer = Zeroizing::new(later.to_vec());
        self.seal(crypto, RECORDS, plain)
    }

    /// A chunk of the catalogue.
    pub(crate) fn catalogue<C: Crypto<Key = K>>(
        &mut self,
        crypto: &C,
        entries: &[Entry],
    ) -> Result<Vec<u8>, CryptoError> {
        let mut plain = Zeroizing::new(Vec::with_capacity(entries.len().saturating_mul(ENTRY).saturating_add(TAG)));
        for (id, version) in entries {
            plain.extend_from_slice(&id.to_bytes());
            plain.extend_from_slice(&version.to_be_bytes());
        }
        self.seal(crypto, CATALOGUE, plain)
    }

    /// The last chunk.
    pub(crate) fn end<C: Crypto<Key = K>>(
        &mut self,
        crypto: &C,
        generation: u64,
        state: impl ExactSizeIterator<Item = Entry>,
    ) -> Result<Vec<u8>, CryptoError> {
        let records = state.len() as u64;
        let footer = Footer {
            generation,
            chunks: self.chunks,
            puts: self.puts,
            deletions: self.deletions,
            records,
            content: self.content.to_bytes(),
            check: self.keys.state(crypto, state)?,
        };
        let encoded = record::encode(&footer);
        let mac = self.keys.mac(crypto, &[b"footer", &self.chain, &encoded])?;
        Ok(self.append(crypto, FOOTER, &[&mac, &encoded]))
    }

    fn seal<C: Crypto<Key = K>>(
        &mut self,
        crypto: &C,
        kind: u8,
        mut plain: Zeroizing<Vec<u8>>,
    ) -> Result<Vec<u8>, CryptoError> {
        let (iv, associated) = (iv(self.chunks), associated(&self.chain, kind));
        crypto.seal(&self.keys.seal, &Aead::gcm(&iv, &associated), &mut plain)?;
        Ok(self.append(crypto, kind, &[&plain]))
    }

    fn append<C: Crypto<Key = K>>(&mut self, crypto: &C, kind: u8, payload: &[&[u8]]) -> Vec<u8> {
        let (chunk, chain) = frame(crypto, &self.chain, kind, payload);
        (self.chain, self.chunks) = (chain, self.chunks.saturating_add(1));
        chunk
    }
}
