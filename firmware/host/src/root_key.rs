//! The root key's file.

use crate::platform::OpenError;
use coloa_crypto_native::Native;
use coloa_engine::Crypto;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Makes the directory (mode 0700) unless it is there.
pub(crate) fn make_directory(directory: &Path) -> Result<(), OpenError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|error| OpenError::Directory { path: directory.to_path_buf(), error })
}

/// Reads the root key, or makes one when the directory has no store either. Several processes may do so at once: they all
/// get the same.
pub(crate) fn read_or_make(directory: &Path, store: &Path) -> Result<Zeroizing<[u8; 32]>, OpenError> {
    let path = directory.join("root.key");
    match read(&path) {
        Err(OpenError::RootKey { error, .. }) if error.kind() == ErrorKind::NotFound => {
            if store.exists() {
                return Err(OpenError::RootKeyMissing(path));
            }
            make(directory, &path)?;
            read(&path)
        }
        other => other,
    }
}

fn read(path: &Path) -> Result<Zeroizing<[u8; 32]>, OpenError> {
    let failed = |error| OpenError::RootKey { path: path.to_path_buf(), error };
    let mut file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(OpenError::RootKeyExposed { path: path.to_path_buf(), mode });
    }
    let mut key = Zeroizing::new([0; 32]);
    file.read_exact(key.as_mut_slice()).map_err(failed)?;
    match file.read(&mut [0]).map_err(failed)? {
        0 => Ok(key),
        _ => Err(failed(ErrorKind::InvalidData.into())),
    }
}

/// Written aside, made durable, then given its name by a link, which fails when another process was first. The name aside
/// is nobody else's: written again through it, the key would change under who has read it already.
fn make(directory: &Path, path: &Path) -> Result<(), OpenError> {
    let failed = |error| OpenError::RootKey { path: path.to_path_buf(), error };
    let mut key = Zeroizing::new([0; 32]);
    let mut name = [0; 8];
    let crypto = Native::new();
    crypto.random(key.as_mut_slice()).and_then(|()| crypto.random(&mut name)).map_err(|_| OpenError::Entropy)?;
    let aside: PathBuf = directory.join(format!("root.key.{:016x}", u64::from_be_bytes(name)));
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside).and_then(|mut f| {
        f.write_all(key.as_slice())?;
        f.sync_all()
    });
    let named = written.and_then(|()| match std::fs::hard_link(&aside, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    let _ = std::fs::remove_file(&aside);
    named.and_then(|()| File::open(directory)?.sync_all()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Threads of one process, or processes of two containers with the same number.
    #[test]
    fn who_makes_the_key_at_the_same_moment_gets_the_same_key() {
        for _ in 0..50 {
            let directory = tempfile::tempdir().unwrap();
            let (path, store) = (directory.path(), directory.path().join("store.sqlite"));
            let keys: Vec<_> = std::thread::scope(|scope| {
                let all: Vec<_> = (0..8).map(|_| scope.spawn(|| *read_or_make(path, &store).unwrap())).collect();
                all.into_iter().map(|one| one.join().unwrap()).collect()
            });
            let kept = *read_or_make(path, &store).unwrap();
            assert!(keys.iter().all(|key| *key == kept));
        }
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("root.key");
        for length in [0, 31, 33] {
            OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&path)
                .and_then(|mut file| file.write_all(&vec![7; length]))
                .unwrap();
            assert!(read(&path).is_err(), "{length}");
        }
    }
}
