//! A place in a log, and the records after it: each follows from the one before, across pages and across interruptions.

use super::{parse, split};
use crate::fault::Fault;
use crate::reads::Reads;
use coloa_crypto_native::Native;
use coloa_engine::audit::verify_chain;
use coloa_wire::ErrorCode;
use coloa_wire::command::AuditRead;
use std::path::Path;

/// Up to here the log was seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Number of the last record; 0 before the first.
    pub number: u64,
    /// Its SHA-256, when it was seen and not only counted.
    pub digest: Option<[u8; 32]>,
}

impl Place {
    /// Before a record that nobody looked at yet.
    pub fn before(number: u64) -> Self {
        let number = number.saturating_sub(1);
        Place { number, digest: (number == 0).then_some([0; 32]) }
    }

    /// Where the log ends now.
    pub fn end(device: &mut impl Reads) -> Result<Self, Fault> {
        let last = device.read(&AuditRead { from: u64::MAX, max: 0 })?.0.last;
        Ok(Place::before(last.saturating_add(1)))
    }

    /// The next records, at most `max`, and the place after them. `name` is what the log is called where it is broken.
    pub fn next(self, device: &mut impl Reads, max: u32, name: &Path) -> Result<(Vec<Vec<u8>>, Place), Fault> {
        let (reply, bulk) = device.read(&AuditRead { from: self.number.saturating_add(1), max })?;
        if reply.last < self.number {
            return Err(Fault::Short { file: name.to_path_buf(), record: self.number });
        }
        let (records, _) = split(&bulk).map_err(|_| Fault::Engine(ErrorCode::CommandMalformed))?;
        let after = self.follow(&records).map_err(|record| Fault::Chain { file: name.to_path_buf(), record })?;
        Ok((records, after))
    }

    /// The place after these records, or the number of the first that does not follow.
    pub fn follow(self, records: &[Vec<u8>]) -> Result<Place, u64> {
        let following = self.number.saturating_add(1);
        let Some(first) = records.first() else { return Ok(self) };
        let first = parse(first).ok_or(following)?;
        let links = self.digest.is_none_or(|digest| digest == first.previous);
        if first.number != following || !links {
            return Err(following);
        }
        let digest = verify_chain(&Native::new(), records)?;
        let count = u64::try_from(records.len()).unwrap_or(u64::MAX);
        Ok(Place { number: self.number.saturating_add(count), digest: Some(digest) })
    }
}
