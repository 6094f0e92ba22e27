//! The files of a bulk. A package and its letter are first written under names that end in `.new`, then the journal says that
//! they were made, then they get their names: after a cut at any moment each site has both or neither.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use coloa_pki::durable::sync_directory;
use coloa_pki::{Error, Result};

/// Where packages and letters go.
pub struct Bulk<'a> {
    pub out: &'a Path,
    pub letters: &'a Path,
}

impl Bulk<'_> {
    /// Makes the directories; that of the letters for their owner alone. They may not be one.
    pub fn prepare(&self) -> Result<()> {
        for (path, mode) in [(self.out, 0o755), (self.letters, 0o700)] {
            DirBuilder::new().recursive(true).mode(mode).create(path).map_err(|e| Error::file(path, e))?;
        }
        let real = |path: &Path| path.canonicalize().map_err(|e| Error::file(path, e));
        match real(self.out)? == real(self.letters)? {
            true => {
                Err(Error::Config { path: self.letters.into(), why: "letters go another way than packages".into() })
            }
            false => Ok(()),
        }
    }

    fn names(&self, site: &str) -> [PathBuf; 3] {
        let certificate = self.out.join(format!("{site}.pem"));
        [self.out.join(format!("{site}.coloapkg")), self.letters.join(format!("{site}.txt")), certificate]
    }

    /// Writes package, letter and certificate under their first names.
    pub fn draft(&self, site: &str, octets: [&[u8]; 3]) -> Result<()> {
        for ((path, octets), mode) in self.names(site).iter().zip(octets).zip([0o644, 0o600, 0o644]) {
            let (draft, fail) = (draft_of(path), |e| Error::file(path, e));
            // A draft of an earlier run was never released.
            match fs::remove_file(&draft) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(fail(e)),
                _ => {}
            }
            let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft);
            file.and_then(|mut f| f.write_all(octets).and_then(|()| f.sync_all())).map_err(fail)?;
        }
        self.names(site).iter().try_for_each(|path| sync_directory(path))
    }

    /// Gives them their names; does nothing where that was done, also when letter or package has left since.
    pub fn release(&self, site: &str) -> Result<()> {
        for path in self.names(site) {
            match fs::rename(draft_of(&path), &path) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(Error::file(&path, e)),
                _ => sync_directory(&path)?,
            }
        }
        Ok(())
    }
}

fn draft_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}
