//! What this box remembers of packages: those it opened, and wrong codes. All of it is on disk before the next step.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::trouble::Trouble;
use crate::fault::Fault;

/// Wrong codes for one package, after which this box refuses it.
const MAX_FAILURES: u32 = 10;
/// The longest wait after a wrong code, in seconds; the first is one second, each next twice as long.
const LONGEST_WAIT: u64 = 3600;

/// The folder with the records.
pub struct Records {
    folder: PathBuf,
}

impl Records {
    /// Below the daemon's state folder, for its owner alone.
    pub fn open(state: &Path) -> Result<Self, Fault> {
        let folder = state.join("join");
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(|e| Fault::file(&folder, e))?;
        Ok(Self { folder })
    }

    /// Whether a package was opened here.
    pub fn is_opened(&self, serial: &str) -> bool {
        // When it cannot be told, it was.
        self.folder.join(format!("{serial}.opened")).try_exists().unwrap_or(true)
    }

    /// From now on it was.
    pub fn opened(&self, serial: &str, now: u64) -> Result<(), Fault> {
        write_durably(&self.folder.join(format!("{serial}.opened")), format!("{now}\n").as_bytes(), 0o600)
    }

    /// Counts a try as wrong before it is looked at, so that pulling the plug does not give tries back. Gives back how many
    /// are left if it is wrong.
    pub fn count_try(&self, serial: &str, now: u64) -> Result<u32, Fault> {
        let path = self.tries(serial);
        let (failures, last) = read_tries(&path)?;
        if failures >= MAX_FAILURES {
            return Err(Fault::Join(Trouble::Locked));
        }
        let wait = failures.checked_sub(1).map_or(0, |n| 1_u64.checked_shl(n).unwrap_or(u64::MAX).min(LONGEST_WAIT));
        // A clock that was set back does not make the wait longer than it was at first.
        let left = last.saturating_add(wait).saturating_sub(now).min(wait);
        if left > 0 {
            return Err(Fault::Join(Trouble::Wait { seconds: left }));
        }
        let failures = failures.saturating_add(1);
        write_durably(&path, format!("{failures} {now}\n").as_bytes(), 0o600)?;
        Ok(MAX_FAILURES.saturating_sub(failures))
    }

    /// The code was right.
    pub fn forgive(&self, serial: &str) -> Result<(), Fault> {
        let path = self.tries(serial);
        fs::remove_file(&path).map_err(|e| Fault::file(&path, e))
    }

    /// Notes a refusal for whoever looks later.
    pub fn refused(&self, serial: &str, code: &str, now: u64) {
        tracing::warn!(package = serial, code, "a key package was refused");
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(self.folder.join("refused"));
        let noted = file.and_then(|mut f| writeln!(f, "{now} {serial} {code}").and_then(|()| f.sync_all()));
        if let Err(why) = noted {
            tracing::error!(%why, "the refusal could not be recorded");
        }
    }

    fn tries(&self, serial: &str) -> PathBuf {
        self.folder.join(format!("{serial}.tries"))
    }
}

fn read_tries(path: &Path) -> Result<(u32, u64), Fault> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok((0, 0)),
        Err(e) => return Err(Fault::file(path, e)),
    };
    let record = text.trim_end().split_once(' ').and_then(|(n, at)| Some((n.parse().ok()?, at.parse().ok()?)));
    record.ok_or_else(|| Fault::file(path, "it is damaged"))
}

/// Whole or not at all, and on disk when it returns.
pub fn write_durably(path: &Path, octets: &[u8], mode: u32) -> Result<(), Fault> {
    let fail = |e: std::io::Error| Fault::file(path, e);
    let draft = path.with_extension("new");
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&draft);
    file.and_then(|mut f| f.write_all(octets).and_then(|()| f.sync_all())).map_err(fail)?;
    fs::rename(&draft, path).map_err(fail)?;
    sync_folder(path.parent().unwrap_or(Path::new("/")))
}

/// Makes the names in a folder durable.
pub fn sync_folder(folder: &Path) -> Result<(), Fault> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(|e| Fault::file(folder, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end_in_a_refusal() {
        let folder = tempfile::tempdir().expect("folder");
        let open = || Records::open(folder.path()).expect("records");
        let mut now = 1000;
        for n in 0..MAX_FAILURES {
            if n > 0 {
                let wait = 1 << (n - 1);
                let early = open().count_try("ab", now + wait - 1);
                assert!(matches!(early, Err(Fault::Join(Trouble::Wait { seconds: 1 }))), "{early:?}");
                let back = open().count_try("ab", 5);
                assert!(matches!(back, Err(Fault::Join(Trouble::Wait { seconds })) if seconds == wait), "{back:?}");
                now += wait;
            }
            assert_eq!(open().count_try("ab", now).expect("a try"), MAX_FAILURES - n - 1);
        }
        assert!(matches!(open().count_try("ab", now + 999_999), Err(Fault::Join(Trouble::Locked))));
        assert_eq!(open().count_try("cd", now).expect("another package"), MAX_FAILURES - 1);
        fs::write(folder.path().join("join/cd.tries"), "x").expect("damage");
        assert!(open().count_try("cd", now + 9).is_err(), "a damaged count is not taken for none");
    }
}
