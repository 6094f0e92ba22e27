//! The newest policy this site ever accepted, on disk, so that an older bundle is not taken back after a restart (R37); and
//! the last bypass order, so that none is used twice (R27).
//! Whoever can write the state folder can reset it: a board's counter is the remedy, and there is none here.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::hex;

/// Remembers serial and digest of the newest accepted policy.
#[derive(Debug)]
pub struct SerialStore {
    path: PathBuf,
}

/// Why a serial is not accepted.
#[derive(Debug)]
pub enum SerialRefused {
    /// A newer one was accepted before.
    Older {
        /// The serial that was accepted.
        accepted: u64,
    },
    /// Another text with the same serial was accepted before.
    Twin,
    /// The record cannot be read or written.
    Record(String),
}

impl SerialStore {
    /// The record in this folder.
    pub fn new(folder: &Path) -> Self {
        Self { path: folder.join("policy-serial") }
    }

    /// The record of bypass orders in this folder.
    pub fn of_orders(folder: &Path) -> Self {
        Self { path: folder.join("bypass-serial") }
    }

    /// Accepts `serial` for the text with this digest, durably, or says why not.
    pub fn accept(&self, serial: u64, digest: &[u8]) -> Result<(), SerialRefused> {
        let digest = hex::encode(digest);
        match self.read()? {
            Some((accepted, _)) if serial < accepted => Err(SerialRefused::Older { accepted }),
            Some((accepted, known)) if serial == accepted => {
                if known == digest {
                    Ok(())
                } else {
                    Err(SerialRefused::Twin)
                }
            }
            _ => self.write(serial, &digest).map_err(|e| self.broken(e)),
        }
    }

    /// Whether exactly this text is the one accepted last.
    pub fn knows(&self, serial: u64, digest: &[u8]) -> bool {
        matches!(self.read(), Ok(Some(record)) if record == (serial, hex::encode(digest)))
    }

    /// The serial accepted last, if any.
    pub fn newest(&self) -> Result<Option<u64>, String> {
        match self.read() {
            Ok(record) => Ok(record.map(|(serial, _)| serial)),
            Err(SerialRefused::Record(why)) => Err(why),
            Err(SerialRefused::Older { .. } | SerialRefused::Twin) => Ok(None),
        }
    }

    fn read(&self) -> Result<Option<(u64, String)>, SerialRefused> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(self.broken(e)),
        };
        let record = text.trim_end().split_once(' ').and_then(|(s, d)| Some((s.parse().ok()?, d.to_owned())));
        record.map(Some).ok_or_else(|| self.broken("it is damaged"))
    }

    fn write(&self, serial: u64, digest: &str) -> std::io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let draft = self.path.with_extension("new");
        let mut file = File::create(&draft)?;
        writeln!(file, "{serial} {digest}")?;
        file.sync_all()?;
        fs::rename(&draft, &self.path)?;
        File::open(folder)?.sync_all()
    }

    fn broken(&self, why: impl std::fmt::Display) -> SerialRefused {
        SerialRefused::Record(format!("the record {}: {why}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_only_rises_and_survives() {
        let folder = tempfile::tempdir().expect("folder");
        let open = || SerialStore::new(folder.path());
        open().accept(5, b"five").expect("first");
        open().accept(5, b"five").expect("the same again");
        assert!(matches!(open().accept(5, b"other"), Err(SerialRefused::Twin)));
        assert!(matches!(open().accept(4, b"four"), Err(SerialRefused::Older { accepted: 5 })));
        open().accept(6, b"six").expect("newer");
        assert!(matches!(open().accept(5, b"five"), Err(SerialRefused::Older { accepted: 6 })));
    }

    #[test]
    fn a_damaged_record_is_not_taken_for_none() {
        let folder = tempfile::tempdir().expect("folder");
        fs::write(folder.path().join("policy-serial"), "rubbish").expect("write");
        assert!(matches!(SerialStore::new(folder.path()).accept(9, b"x"), Err(SerialRefused::Record(_))));
    }
}
