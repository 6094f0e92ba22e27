//! Zeroization of a host (R14): the root key first, for nothing that was sealed under it can be opened without it; then the
//! store. A marker that is durable before anything else makes sure that what was begun is finished, at the next start if need be.
//!
//! The root key is overwritten before its name goes. What a disk keeps of overwritten blocks (spare blocks of flash, snapshots of
//! a volume) is out of reach of any program: there the disk's own encryption, or the shredder, has to do the rest, and
//! SECURITY.md says so. The store is sealed: without the root key it is noise, so its files are only removed, which takes the
//! same time whatever their size.

use crate::tamper::FILES;
use coloa_engine::{Crypto, Epitaph};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// It is there from the beginning of a zeroization until nothing is left to do.
const MARKER: &str = "zeroizing";
/// What is left of devices that were.
const LOG: &str = "zeroized.log";
/// Held open by whoever uses the store, empty, and not worth anything.
const LOCK: &str = "store.sqlite.lock";

/// Destroys everything in the directory that the engine ever wrote there, but for the epitaph.
///
/// # Errors
/// What the system said; what is left is destroyed by [`finish`].
pub(crate) fn zeroize(directory: &Path, epitaph: &Epitaph) -> io::Result<()> {
    let aside = directory.join("zeroizing.new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(line(epitaph).as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&aside, directory.join(MARKER))?;
    sync(directory)?;
    destroy(directory)
}

/// Finishes what was begun; does nothing where nothing was. To be called before anything is read.
///
/// # Errors
/// What the system said: the device must not be used until this succeeds.
pub(crate) fn finish(directory: &Path) -> io::Result<()> {
    let marker = directory.join(MARKER);
    let epitaph = match std::fs::read(&marker) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    destroy(directory)?;
    let mut log = OpenOptions::new().append(true).create(true).mode(0o600).open(directory.join(LOG))?;
    log.write_all(&epitaph)?;
    log.sync_all()?;
    std::fs::remove_file(&marker)?;
    sync(directory)?;
    tracing::warn!(epitaph = %String::from_utf8_lossy(&epitaph).trim_end(), "the device was zeroized, and begins anew");
    Ok(())
}

/// May be begun again at any point.
fn destroy(directory: &Path) -> io::Result<()> {
    let of_engine = |name: &str, start: &str| name.starts_with(start) && name != LOCK;
    let names: Vec<String> = std::fs::read_dir(directory)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| of_engine(name, "root.key") || of_engine(name, "store.") || FILES.contains(&name.as_str()))
        .collect();
    for name in names.iter().filter(|name| name.starts_with("root.key")) {
        overwrite(&directory.join(name))?;
    }
    for name in &names {
        std::fs::remove_file(directory.join(name))?;
    }
    sync(directory)
}

fn overwrite(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    let mut noise = vec![0; usize::try_from(file.metadata()?.len()).unwrap_or(0).max(32)];
    // Zeros do as well where there is no randomness.
    let _ = coloa_crypto_native::Native::new().random(&mut noise);
    file.write_all_at(&noise, 0)?;
    file.sync_all()
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// On a line of its own; names have no control characters.
fn line(epitaph: &Epitaph) -> String {
    let Epitaph { time, who, serial, label, audit_records, audit_head } = epitaph;
    let head: String = audit_head.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "zeroized={} serial={serial} label={label:?} by={who:?} audit_records={audit_records} audit_head={head}\n",
        time.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use coloa_engine::Timestamp;

    fn epitaph() -> Epitaph {
        let (who, serial, label) = ("uid 0 (root)".into(), "00".into(), "hsm".into());
        Epitaph { time: Timestamp(7), who, serial, label, audit_records: 9, audit_head: [1; 32] }
    }

    /// A directory as an engine leaves it, with a key that can be looked for, and files that are none of its.
    fn used() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let files = [
            "root.key",
            "store.sqlite",
            "store.sqlite-wal",
            "store.sqlite-shm",
            "store.snapshot",
            "testament",
            "other",
            LOCK,
        ];
        for name in files {
            std::fs::write(directory.path().join(name), [0x5a; 32]).unwrap();
        }
        directory
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// R14: the power fails at any point, and the next start finishes.
    #[test]
    fn what_was_begun_is_finished_wherever_it_was_cut() {
        let whole = used();
        zeroize(whole.path(), &epitaph()).unwrap();
        assert_eq!(names(whole.path()), ["other", LOCK, MARKER]);
        let steps: [&dyn Fn(&Path); 4] = [
            &|_| {},
            &|directory| overwrite(&directory.join("root.key")).unwrap(),
            &|directory| std::fs::remove_file(directory.join("root.key")).unwrap(),
            &|directory| std::fs::remove_file(directory.join("store.sqlite")).unwrap(),
        ];
        for cut in 1..=steps.len() {
            let directory = used();
            std::fs::write(directory.path().join(MARKER), line(&epitaph())).unwrap();
            steps[..cut].iter().for_each(|step| step(directory.path()));
            finish(directory.path()).unwrap();
            assert_eq!(names(directory.path()), ["other", LOCK, LOG], "cut after {cut}");
            let log = std::fs::read_to_string(directory.path().join(LOG)).unwrap();
            assert!(log.starts_with("zeroized=7 serial=00 label=\"hsm\" by=\"uid 0 (root)\" audit_records=9"), "{log}");
        }
    }

    /// Cut before the marker has its name: nothing was begun, nothing is lost.
    #[test]
    fn without_the_marker_nothing_is_touched() {
        let directory = used();
        std::fs::write(directory.path().join("zeroizing.new"), "zeroi").unwrap();
        let before = names(directory.path());
        finish(directory.path()).unwrap();
        assert_eq!(names(directory.path()), before);
    }

    /// The name of a file goes quickly, its blocks do not: whoever holds it open sees that the key is gone from them.
    #[test]
    fn the_root_key_is_overwritten_before_its_name_goes() {
        let directory = used();
        let held = File::open(directory.path().join("root.key")).unwrap();
        zeroize(directory.path(), &epitaph()).unwrap();
        let mut left = [0; 32];
        held.read_exact_at(&mut left, 0).unwrap();
        assert!(!left.contains(&0x5a) || left.iter().filter(|byte| **byte == 0x5a).count() < 8, "{left:02x?}");
    }
}
