//! The whole store at one moment, for a backup: what there is, and what it says.

use super::{Book, Desk, Ledger, reading};
use crate::backup::archive::Entry;
use crate::backup::is_carried;
use crate::record::{self, CUSTODIANS, Kek, PartitionRecord, RecordKind};
use crate::{Platform, RecordId};
use alloc::vec::Vec;
use coloa_wire::{ErrorCode, PartitionId};

const FIRST: RecordId = RecordId { partition: [0; 16], kind: 0, id: [0; 16] };
const LAST: RecordId = RecordId { partition: [0xff; 16], kind: 0xff, id: [0xff; 16] };

/// Nothing is committed while somebody has one: not for long.
pub(crate) struct View<'a, P: Platform> {
    desk: &'a Desk<'a, P>,
    book: &'a Book,
}

impl<P: Platform> Ledger<P> {
    /// Looks at everything at one moment. `look` may be called again, where another process committed meanwhile.
    pub(crate) fn at_once<T>(
        &self,
        desk: &Desk<'_, P>,
        look: impl Fn(&View<'_, P>) -> Result<T, ErrorCode>,
    ) -> Result<T, ErrorCode> {
        self.reading(desk, |book| look(&View { desk, book }))
    }
}

impl<P: Platform> View<'_, P> {
    pub(crate) fn generation(&self) -> u64 {
        self.book.generation
    }

    /// Every record that an archive carries, with its version, in the order of ids. What is staged is not carried.
    pub(crate) fn catalogue(&self) -> Vec<Entry> {
        let carried = |id: &RecordId| RecordKind::of(id).is_some_and(is_carried);
        let seen = |id: &RecordId| *id == CUSTODIANS || self.desk.state.partition(PartitionId(id.partition)).is_ok();
        let all = self.book.members.range(FIRST..=LAST);
        let mut all: Vec<Entry> = all.map(|(id, member)| (id, member.version)).collect();
        all.retain(|(id, _)| carried(id) && seen(id));
        all.sort_unstable();
        all
    }

    /// What a record says, as an archive carries it; `None` when there is none. A partition's KEK is left out.
    pub(crate) fn open(&self, id: &RecordId) -> Result<Option<record::Opened>, ErrorCode> {
        let Some((version, sealed)) = reading::read(self.desk, self.book, id)? else { return Ok(None) };
        let crypto = self.desk.platform.crypto();
        let kind = RecordKind::of(id).ok_or(ErrorCode::StoreCorrupt)?;
        if kind == RecordKind::Object {
            let partition =
                self.desk.state.any_partition(PartitionId(id.partition)).map_err(|_| ErrorCode::StoreCorrupt)?;
            return Ok(Some((version, record::open(crypto, &partition.kek, id, version, &sealed)?)));
        }
        let plain = record::open(crypto, &self.desk.keys.device, id, version, &sealed)?;
        if kind != RecordKind::Partition {
            return Ok(Some((version, plain)));
        }
        let partition: PartitionRecord = record::decode(&plain)?;
        let keyless = PartitionRecord { kek: Kek([0; 32]), ..partition };
        Ok(Some((version, record::encode(&keyless))))
    }
}
