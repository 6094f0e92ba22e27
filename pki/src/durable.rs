//! Files that are whole or absent, also after a power cut.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Replaces a file in one step: a reader sees the old bytes or the new ones, and after the return they are on disk.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let fail = |e| Error::file(path, e);
    let beside = beside(path);
    // What is left of an earlier attempt is ours to overwrite; the directory's lock keeps others out.
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&beside).map_err(fail)?;
    file.write_all(bytes).map_err(fail)?;
    file.sync_all().map_err(fail)?;
    fs::rename(&beside, path).map_err(fail)?;
    sync_directory(path)
}

/// Makes the names in a file's directory durable.
pub fn sync_directory(path: &Path) -> Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory).and_then(|d| d.sync_all()).map_err(|e| Error::file(directory, e))
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}
