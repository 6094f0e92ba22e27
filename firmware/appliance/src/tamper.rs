//! Lines that tell of tampering (R15): files whose content must not change.
//!
//! A Linux host has no tamper mesh. What it may have: a chassis switch whose latch the kernel shows
//! (`/sys/class/hwmon/hwmon0/intrusion0_alarm`), a GPIO (`.../value`), or a program beside it that watches a sensor and writes
//! into a file of `/run`, in place. Each is read every few milliseconds, through a handle that was opened before the sandbox
//! closed. None works while the host is without power, and root can switch all of it off: a board's own line does better.

use crate::fault::Fault;
use serde::Deserialize;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often the lines are looked at.
pub(crate) const LOOK: Duration = Duration::from_millis(20);
/// Looks at which a line may be unreadable; at the next it counts as cut. A second.
const PATIENCE: u32 = 50;
/// Longer contents are never quiet.
const MAX: usize = 64;

/// A line, in the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// What the log calls it.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// What it holds as long as nothing happens, without white space around it.
    #[serde(default = "zero")]
    pub quiet: String,
}

fn zero() -> String {
    "0".into()
}

/// An open line.
struct Watched {
    line: Line,
    file: File,
    unread: u32,
}

/// Every line.
pub(crate) struct Lines(Vec<Watched>);

impl Lines {
    /// Opens them; one that cannot be read now is a mistake, not tampering.
    ///
    /// # Errors
    /// [`Fault::TamperLine`].
    pub(crate) fn open(lines: &[Line]) -> Result<Self, Fault> {
        let open = |line: &Line| {
            let watched = File::open(&line.file).and_then(|file| read(&file).map(|_| file));
            let file = watched.map_err(|e| Fault::TamperLine { path: line.file.clone(), why: e.to_string() })?;
            Ok(Watched { line: line.clone(), file, unread: 0 })
        };
        lines.iter().map(open).collect::<Result<_, Fault>>().map(Lines)
    }

    /// Whether there is any.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first line that tells of tampering.
    pub(crate) fn look(&mut self) -> Option<&str> {
        self.0.iter_mut().find_map(|watched| watched.tells().then_some(watched.line.name.as_str()))
    }
}

impl Watched {
    fn tells(&mut self) -> bool {
        match read(&self.file) {
            Ok(content) => {
                self.unread = 0;
                content.trim_ascii() != self.line.quiet.as_bytes()
            }
            Err(_) => {
                self.unread = self.unread.saturating_add(1);
                self.unread > PATIENCE
            }
        }
    }
}

/// A file of sysfs is read anew from its beginning.
fn read(file: &File) -> io::Result<Vec<u8>> {
    let mut content = vec![0; MAX];
    let length = file.read_at(&mut content, 0)?;
    content.truncate(length);
    Ok(content)
}

/// The file of a line, from the configuration's folder.
pub(crate) fn resolve(lines: &mut [Line], folder: &Path) {
    lines.iter_mut().for_each(|line| line.file = folder.join(&line.file));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(dir: &Path, quiet: &str) -> Line {
        Line { name: "lid".into(), file: dir.join("alarm"), quiet: quiet.into() }
    }

    #[test]
    fn a_line_tells_when_it_is_not_quiet() {
        let dir = tempfile::tempdir().unwrap();
        let write = |text: &str| std::fs::write(dir.path().join("alarm"), text).unwrap();
        write("0\n");
        let mut lines = Lines::open(&[line(dir.path(), "0")]).unwrap();
        assert_eq!(lines.look(), None);
        for other in ["1\n", "", "00", "0 1"] {
            write(other);
            assert_eq!(lines.look(), Some("lid"), "{other:?}");
        }
        write(" 0 ");
        assert_eq!(lines.look(), None);
    }

    #[test]
    fn a_line_that_is_not_there_is_a_mistake() {
        let dir = tempfile::tempdir().unwrap();
        let fault = Lines::open(&[line(dir.path(), "0")]).err().unwrap();
        assert!(matches!(fault, Fault::TamperLine { path, .. } if path.ends_with("alarm")));
    }

    /// A line that cannot be read any more has been cut; one bad read is not enough to destroy every key.
    #[test]
    fn a_line_that_stays_unreadable_is_cut() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("alarm"), "0").unwrap();
        let mut lines = Lines::open(&[line(dir.path(), "0")]).unwrap();
        // A folder can be opened and not be read.
        lines.0[0].file = File::open(dir.path()).unwrap();
        assert!((0..PATIENCE).all(|_| lines.look().is_none()));
        assert_eq!(lines.look(), Some("lid"));
    }
}
