//! How far a log was delivered, in a file that a power cut leaves as it was before or as it is after.

use super::place::Place;
use crate::fault::Fault;
use crate::screen::hex;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The first words of the file.
const NAME: &str = "coloa audit cursor 1";

/// The file, for this process alone.
pub struct Cursor {
    path: PathBuf,
    /// Held until the process ends.
    _lock: File,
}

impl Cursor {
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let lock = beside(path, "lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&lock);
        let file = file.map_err(|e| Fault::file(&lock, e))?;
        file.try_lock().map_err(|_| Fault::file(&lock, "another process delivers from it"))?;
        Ok(Cursor { path: path.to_path_buf(), _lock: file })
    }

    /// The place; `None` when nothing was delivered yet. What cannot be read is not begun anew: records would be missed, or
    /// a log that was put in another's place would pass for it.
    pub fn place(&self) -> Result<Option<Place>, Fault> {
        match std::fs::read_to_string(&self.path) {
            Ok(text) => parse(&text).map(Some).ok_or_else(|| Fault::file(&self.path, "it is no cursor of ours")),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Fault::file(&self.path, error)),
        }
    }

    /// Durable when it returns.
    pub fn keep(&self, place: Place) -> Result<(), Fault> {
        let text = format!("{NAME}\n{} {}\n", place.number, hex(&place.digest.unwrap_or_default()));
        self.try_to_keep(text.as_bytes()).map_err(|e| Fault::file(&self.path, e))
    }

    fn try_to_keep(&self, text: &[u8]) -> std::io::Result<()> {
        let new = beside(&self.path, "new");
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
        file.write_all(text)?;
        file.sync_all()?;
        std::fs::rename(&new, &self.path)?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

fn beside(path: &Path, word: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{word}"));
    name.into()
}

fn parse(text: &str) -> Option<Place> {
    let (number, digest) = text.strip_prefix(NAME)?.strip_prefix('\n')?.strip_suffix('\n')?.split_once(' ')?;
    let digest = data_encoding::HEXLOWER.decode(digest.as_bytes()).ok()?.try_into().ok()?;
    Some(Place { number: number.parse().ok()?, digest: Some(digest) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_its_place_refuses_what_is_torn_and_has_one_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cursor");
        let cursor = Cursor::open(&path).unwrap();
        assert_eq!(cursor.place().unwrap(), None);
        assert!(Cursor::open(&path).is_err());
        let place = Place { number: 17, digest: Some([0xab; 32]) };
        cursor.keep(place).unwrap();
        assert_eq!(cursor.place().unwrap(), Some(place));
        let text = std::fs::read(&path).unwrap();
        for cut in 0..text.len() {
            std::fs::write(&path, &text[..cut]).unwrap();
            assert!(cursor.place().is_err(), "{cut}");
        }
    }
}
