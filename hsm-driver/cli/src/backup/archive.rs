//! Archives as files.

use super::Trouble;
use crate::fault::Fault;
use coloa_crypto_native::Native;
use coloa_engine::archive::{Outline, chunk_length};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// An archive that was read, and is whole as far as can be seen without the key.
pub struct Archive {
    pub path: PathBuf,
    pub bytes: Vec<u8>,
    pub outline: Outline,
}

impl Archive {
    pub fn read(path: &Path) -> Result<Self, Fault> {
        let bytes = std::fs::read(path).map_err(|e| Fault::file(path, e))?;
        let outline = Outline::read(&Native::new(), &bytes).map_err(|damage| Trouble::Damaged {
            file: path.into(),
            chunk: damage.chunk,
            at: damage.at,
        })?;
        Ok(Archive { path: path.into(), bytes, outline })
    }

    /// Archives, each of which builds on the one before.
    pub fn read_chain(paths: &[PathBuf]) -> Result<Vec<Self>, Fault> {
        let chain: Vec<_> = paths.iter().map(|path| Archive::read(path)).collect::<Result<_, _>>()?;
        let before = std::iter::once(None).chain(chain.iter().map(Some));
        for (before, archive) in before.zip(&chain) {
            let base = archive.outline.header.base.as_ref().map(|base| (base.digest, base.generation));
            if base != before.map(|b| (b.outline.digest, b.outline.footer.generation)) {
                return Err(Trouble::OutOfOrder(archive.path.clone()).into());
            }
        }
        Ok(chain)
    }

    pub fn header(&self) -> &[u8] {
        self.chunks(0).next().unwrap_or_default()
    }

    /// The chunks from this byte on.
    pub fn chunks(&self, from: usize) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.bytes.get(from..).unwrap_or_default();
        std::iter::from_fn(move || {
            let (chunk, after) = rest.split_at_checked(chunk_length(rest).ok()??)?;
            rest = after;
            Some(chunk)
        })
    }
}

/// A file that is there when it is whole, and not before: written beside its place, flushed, and moved.
pub struct NewFile {
    file: File,
    beside: PathBuf,
    path: PathBuf,
}

impl NewFile {
    /// Refuses a path where something is.
    pub fn create(path: &Path) -> Result<Self, Fault> {
        if path.symlink_metadata().is_ok() {
            return Err(Fault::file(path, "it exists"));
        }
        let mut name = path.file_name().ok_or_else(|| Fault::file(path, "it names no file"))?.to_owned();
        name.push(".part");
        let beside = path.with_file_name(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside);
        let file = file.map_err(|e| Fault::file(&beside, e))?;
        Ok(NewFile { file, beside, path: path.into() })
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.file.write_all(bytes).map_err(|e| Fault::file(&self.path, e))
    }

    /// Durable when it returns. What came to be at the path meanwhile is not overwritten.
    pub fn keep(self) -> Result<(), Fault> {
        let folder = self.path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let kept = self.file.sync_all();
        let kept = kept.and_then(|()| self.put_in_place());
        kept.and_then(|()| File::open(folder)?.sync_all()).map_err(|e| Fault::file(&self.path, e))
    }
}

impl NewFile {
    /// A removable medium may have a file system without links; there it is moved, when nothing is at the path.
    fn put_in_place(&self) -> std::io::Result<()> {
        match std::fs::hard_link(&self.beside, &self.path) {
            Err(e) if matches!(e.kind(), ErrorKind::PermissionDenied | ErrorKind::Unsupported) => {
                if self.path.symlink_metadata().is_ok() {
                    return Err(ErrorKind::AlreadyExists.into());
                }
                std::fs::rename(&self.beside, &self.path)
            }
            linked => linked.and_then(|()| std::fs::remove_file(&self.beside)),
        }
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // Gone already when it was kept.
        let _ = std::fs::remove_file(&self.beside);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bak");
        let mut file = NewFile::create(&path).unwrap();
        file.write(b"half").unwrap();
        assert!(!path.exists());
        drop(file);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let mut file = NewFile::create(&path).unwrap();
        file.write(b"whole").unwrap();
        std::fs::write(&path, "somebody else's").unwrap();
        assert!(file.keep().is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"somebody else's");
        assert!(NewFile::create(&path).is_err());
    }
}
