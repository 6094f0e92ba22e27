//! The layout on flash. This text is its specification, version 1.
//!
//! The region is two *areas* of the same size, each a whole number of erase sectors. One is active; the other is erased or
//! about to be. All numbers are little-endian; every part starts at a multiple of the flash's write size and is padded with
//! `FF` up to the next.
//!
//! An **area** is a header and then frames, without gaps, up to the first erased byte:
//!
//! | bytes | area header |
//! |---|---|
//! | 8 | `CoLoNor1` |
//! | 8 | epoch: the active area is the one with the higher |
//! | 8 | generation of the snapshot |
//! | 4 | offset in the area of the first byte after the snapshot |
//! | 4 | CRC-32 (ISO-HDLC) of the 28 bytes before |
//!
//! A **frame** is one batch, in three parts, written in this order:
//!
//! | bytes | frame header | | bytes | mark |
//! |---|---|---|---|---|
//! | 4 | `CLBf` | | 4 | the header's CRC once more |
//! | 4 | length of the body, without padding | | 4 | its complement |
//! | 8 | generation | | | |
//! | 4 | CRC-32 of the body | | | |
//! | 4 | CRC-32 of the 20 bytes before | | | |
//!
//! and between them the body, which shares no padding with the header: for each record its id (33 bytes), version (8),
//! length of the value (4, `FFFFFFFF` for a deletion) and the value.
//!
//! **Commit.** Header and body are written, then the mark. A frame counts when its mark is complete. The next frame's
//! generation is one higher.
//!
//! **Compaction,** when a frame does not fit or the end of the log is not clean: the other area is erased; the live records
//! *as they will be after the batch* are written there as frames of the new generation (the snapshot); then the area header
//! with the next epoch, which commits the batch. Then the old area is erased. So erases alternate between the areas, each
//! sector as often as any other.
//!
//! **Mounting** takes the valid area header with the higher epoch and replays its frames. What a cut leaves behind is at the
//! end of the log: a frame without a complete mark, then nothing but `FF`. Anything else that is wrong is damage and refused.
//! After a cut in a frame the end is not clean: nothing more is written there, the next commit compacts.

use coloa_engine::{RecordId, Write};
use crc::{CRC_32_ISO_HDLC, Crc, Digest, NoTable};

static CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);

const AREA_MAGIC: [u8; 8] = *b"CoLoNor1";
const FRAME_MAGIC: [u8; 4] = *b"CLBf";
const DELETED: u32 = u32::MAX;

/// Reads a field off the front of some bytes.
fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (field, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*field)
}

/// Writes fields to the front of some bytes.
struct Fields<const N: usize> {
    bytes: [u8; N],
    used: usize,
}

impl<const N: usize> Fields<N> {
    fn new() -> Self {
        Fields { bytes: [0xff; N], used: 0 }
    }

    fn put(mut self, field: &[u8]) -> Self {
        self.bytes.iter_mut().skip(self.used).zip(field).for_each(|(to, from)| *to = *from);
        self.used = self.used.saturating_add(field.len());
        self
    }

    fn put_crc(self) -> Self {
        let crc = CRC.checksum(self.bytes.get(..self.used).unwrap_or_default());
        self.put(&crc.to_le_bytes())
    }
}

/// The front of an area.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct AreaHeader {
    pub(crate) epoch: u64,
    pub(crate) generation: u64,
    /// Offset in the area of the first byte after the snapshot.
    pub(crate) snapshot_end: u32,
}

impl AreaHeader {
    pub(crate) const LENGTH: u32 = 32;

    pub(crate) fn encode(&self) -> [u8; 32] {
        let fields = Fields::new().put(&AREA_MAGIC).put(&self.epoch.to_le_bytes()).put(&self.generation.to_le_bytes());
        fields.put(&self.snapshot_end.to_le_bytes()).put_crc().bytes
    }

    /// The header in these bytes, if there is a whole one.
    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let crc = CRC.checksum(bytes.get(..28)?);
        let magic: [u8; 8] = take(&mut bytes)?;
        let epoch = u64::from_le_bytes(take(&mut bytes)?);
        let generation = u64::from_le_bytes(take(&mut bytes)?);
        let snapshot_end = u32::from_le_bytes(take(&mut bytes)?);
        let valid = magic == AREA_MAGIC && u32::from_le_bytes(take(&mut bytes)?) == crc;
        valid.then_some(AreaHeader { epoch, generation, snapshot_end })
    }
}

/// The front of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FrameHeader {
    pub(crate) body: u32,
    pub(crate) generation: u64,
    pub(crate) body_crc: u32,
}

impl FrameHeader {
    pub(crate) const LENGTH: u32 = 24;

    /// The header of a frame with this batch; `None` when the batch is longer than 4 GiB.
    pub(crate) fn of(generation: u64, batch: &[Write<'_>]) -> Option<Self> {
        let mut crc = BodyCrc::new();
        for write in batch {
            crc.update(&EntryHeader::of(write)?.encode());
            crc.update(write.value.unwrap_or_default());
        }
        Some(FrameHeader { body: body_length(batch)?, generation, body_crc: crc.finish() })
    }

    pub(crate) fn encode(&self) -> [u8; 24] {
        let fields = Fields::new().put(&FRAME_MAGIC).put(&self.body.to_le_bytes()).put(&self.generation.to_le_bytes());
        fields.put(&self.body_crc.to_le_bytes()).put_crc().bytes
    }

    /// The header in these bytes, if there is a whole one.
    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let crc = CRC.checksum(bytes.get(..20)?);
        let magic: [u8; 4] = take(&mut bytes)?;
        let body = u32::from_le_bytes(take(&mut bytes)?);
        let generation = u64::from_le_bytes(take(&mut bytes)?);
        let body_crc = u32::from_le_bytes(take(&mut bytes)?);
        let valid = magic == FRAME_MAGIC && u32::from_le_bytes(take(&mut bytes)?) == crc;
        valid.then_some(FrameHeader { body, generation, body_crc })
    }

    /// The mark that makes this frame count.
    pub(crate) fn mark(&self) -> [u8; MARK as usize] {
        let crc = CRC.checksum(&self.encode());
        Fields::new().put(&crc.to_le_bytes()).put(&(!crc).to_le_bytes()).bytes
    }
}

/// Bytes of a mark.
pub(crate) const MARK: u32 = 8;

/// The front of a record in a body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct EntryHeader {
    pub(crate) id: RecordId,
    pub(crate) version: u64,
    /// Length of the value; `None` when the record is deleted.
    pub(crate) value: Option<u32>,
}

impl EntryHeader {
    pub(crate) const LENGTH: u32 = 45;

    pub(crate) fn of(write: &Write<'_>) -> Option<Self> {
        let length = |value: &[u8]| u32::try_from(value.len()).ok().filter(|length| *length != DELETED);
        let value = match write.value {
            Some(value) => Some(length(value)?),
            None => None,
        };
        Some(EntryHeader { id: write.id, version: write.version, value })
    }

    pub(crate) fn encode(&self) -> [u8; 45] {
        let length = self.value.unwrap_or(DELETED);
        Fields::new().put(&self.id.to_bytes()).put(&self.version.to_le_bytes()).put(&length.to_le_bytes()).bytes
    }

    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let id = RecordId::from_bytes(&take(&mut bytes)?);
        let version = u64::from_le_bytes(take(&mut bytes)?);
        let length = u32::from_le_bytes(take(&mut bytes)?);
        Some(EntryHeader { id, version, value: (length != DELETED).then_some(length) })
    }
}

/// The CRC of a body that comes in pieces.
pub(crate) struct BodyCrc(Digest<'static, u32, NoTable>);

impl BodyCrc {
    pub(crate) fn new() -> Self {
        BodyCrc(CRC.digest())
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> u32 {
        self.0.finalize()
    }
}

/// Bytes of a body with this batch.
pub(crate) fn body_length(batch: &[Write<'_>]) -> Option<u32> {
    batch.iter().try_fold(0_u32, |sum, write| {
        let value = EntryHeader::of(write)?.value.unwrap_or(0);
        sum.checked_add(EntryHeader::LENGTH)?.checked_add(value)
    })
}

/// Bytes a part takes on flash.
pub(crate) fn padded(length: u32, write_size: u32) -> Option<u32> {
    length.checked_next_multiple_of(write_size)
}

/// Bytes a frame takes on flash.
pub(crate) fn frame_length(body: u32, write_size: u32) -> Option<u32> {
    let header = padded(FrameHeader::LENGTH, write_size)?;
    header.checked_add(padded(body, write_size)?)?.checked_add(padded(MARK, write_size)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        let area = AreaHeader { epoch: 3, generation: 9, snapshot_end: 77 };
        assert_eq!(AreaHeader::decode(&area.encode()), Some(area));
        let id = RecordId { partition: [1; 16], kind: 2, id: [3; 16] };
        let write = Write { id, version: 5, value: Some(b"sealed") };
        let frame = FrameHeader::of(4, &[write]).unwrap();
        assert_eq!(frame.body, 51);
        assert_eq!(FrameHeader::decode(&frame.encode()), Some(frame));
        let entry = EntryHeader::of(&write).unwrap();
        assert_eq!(EntryHeader::decode(&entry.encode()), Some(entry));
    }

    #[test]
    fn one_bit_makes_a_header_invalid() {
        let area = AreaHeader { epoch: 3, generation: 9, snapshot_end: 77 }.encode();
        let frame = FrameHeader { body: 1, generation: 2, body_crc: 3 }.encode();
        for bit in 0..8 * area.len() {
            let mut bytes = area;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(AreaHeader::decode(&bytes), None);
        }
        for bit in 0..8 * frame.len() {
            let mut bytes = frame;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(FrameHeader::decode(&bytes), None);
        }
    }

    #[test]
    fn the_layout_is_frozen() {
        let area = AreaHeader { epoch: 1, generation: 2, snapshot_end: 32 }.encode();
        assert_eq!(area[..28], *b"CoLoNor1\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x20\0\0\0");
        // The CRC of "123456789" is the catalogue's check value of CRC-32/ISO-HDLC.
        assert_eq!(CRC.checksum(b"123456789"), 0xcbf4_3926);
    }
}
