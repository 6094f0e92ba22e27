//! Tampering on a host (R15): one write over the root key both destroys it and says that the device was tampered with.
//!
//! Those 32 bytes lie in one sector of a disk, which is written whole or not at all. As long as the file says so, every start
//! begins the device anew ([`HostEngine::start_tampered`]) under a new root key, which lies aside until all of it is durable
//! and then takes the file's name. What a disk keeps of overwritten blocks is out of reach, as with [`crate::erasure`].

use crate::platform::HostEngine;
use coloa_crypto_native::Native;
use coloa_engine::{Crypto, TamperEvent};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use zeroize::Zeroizing;

/// What stands in the place of a root key that a tamper event destroyed.
const STRUCK: &[u8; 32] = b"coloa: tampered; root key gone!!";
const ROOT: &str = "root.key";
/// The new root key until the device has begun anew.
const NEXT: &str = "root.key.next";
/// What a line told.
const EVENT: &str = "tampered";
/// See [`coloa_engine::tamper`].
const TESTAMENT: &str = "testament";

/// Names of files that go when the device is zeroized.
pub(crate) const FILES: [&str; 2] = [EVENT, TESTAMENT];

/// Destroys the root key, then writes down why.
///
/// # Errors
/// What the system said.
pub(crate) fn strike(directory: &Path, event: &TamperEvent) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(directory.join(ROOT))?;
    file.write_all_at(STRUCK, 0)?;
    file.sync_all()?;
    let mut bytes = Vec::new();
    // Writing to memory does not fail.
    let _ = minicbor::encode(event, &mut bytes);
    put(directory, EVENT, &bytes)
}

/// Keeps the testament, unless it is the one that is there.
///
/// # Errors
/// What the system said.
pub(crate) fn keep_testament(directory: &Path, testament: &[u8]) -> io::Result<()> {
    match std::fs::read(directory.join(TESTAMENT)) {
        Ok(kept) if kept == testament => Ok(()),
        _ => put(directory, TESTAMENT, testament),
    }
}

/// What a tampered device begins anew with.
pub(crate) struct Remains {
    /// Not in its place yet: [`Remains::succeed`].
    pub root_key: Zeroizing<[u8; 32]>,
    pub testament: Option<Vec<u8>>,
    pub event: Option<TamperEvent>,
}

impl Remains {
    /// What a tamper event has left, if there was one. Each time there is a new root key: what an earlier, cut attempt may
    /// have sealed is deleted with the rest.
    ///
    /// # Errors
    /// What the system said: nothing may be served.
    pub(crate) fn find(directory: &Path) -> io::Result<Option<Self>> {
        if !is_struck(directory)? {
            // Of an event that is over; it must not be taken for another's.
            return remove(directory, EVENT).map(|()| None);
        }
        let mut root_key = Zeroizing::new([0; 32]);
        Native::new().random(root_key.as_mut_slice()).map_err(|_| io::Error::other("no random numbers"))?;
        put(directory, NEXT, root_key.as_slice())?;
        let event = optional(&directory.join(EVENT))?.and_then(|bytes| minicbor::decode(&bytes).ok());
        Ok(Some(Remains { root_key, testament: optional(&directory.join(TESTAMENT))?, event }))
    }

    /// The device has begun anew, and its store says that it was tampered with: from now on the store's word counts.
    ///
    /// # Errors
    /// What the system said: the next start begins anew once more.
    pub(crate) fn succeed(directory: &Path, _begun: &HostEngine) -> io::Result<()> {
        std::fs::rename(directory.join(NEXT), directory.join(ROOT))?;
        sync(directory)?;
        remove(directory, EVENT)
    }
}

/// Where a file is cut off, part of the words is enough: no key begins so.
fn is_struck(directory: &Path) -> io::Result<bool> {
    Ok(optional(&directory.join(ROOT))?.is_some_and(|bytes| bytes.starts_with(&STRUCK[..16])))
}

fn optional(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

/// Written aside, made durable, then given its name.
fn put(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let aside = directory.join(format!("{name}.new"));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&aside, directory.join(name))?;
    sync(directory)
}

fn remove(directory: &Path, name: &str) -> io::Result<()> {
    match std::fs::remove_file(directory.join(name)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync(directory),
    }
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HostEngine, Sharing, command, open};
    use coloa_engine::Peer;
    use coloa_wire::command::{DeviceInfo, DeviceInitialize, Lifecycle, PartitionCreate, PartitionMode};
    use coloa_wire::hello::Body;

    fn start(directory: &Path) -> HostEngine {
        open(directory, Body::Appliance, Sharing::Exclusive).unwrap()
    }

    fn operator() -> Peer {
        Peer::Administrator("operator".into())
    }

    /// A device in service, tampered with; its serial number and the root key it had.
    fn struck(directory: &Path) -> (String, Vec<u8>) {
        let engine = start(directory);
        command(&engine, &operator(), &DeviceInitialize { label: "rack-1".into() }).unwrap();
        let create = PartitionCreate { label: "court".into(), mode: PartitionMode::Strict, approved_only: None };
        command(&engine, &operator(), &create).unwrap();
        let key = std::fs::read(directory.join(ROOT)).unwrap();
        engine.tamper("lid").unwrap();
        (command(&engine, &operator(), &DeviceInfo {}).unwrap().serial, key)
    }

    fn is_tampered(directory: &Path) -> String {
        let engine = start(directory);
        assert_eq!(engine.lifecycle(), Lifecycle::Tampered);
        let info = command(&engine, &operator(), &DeviceInfo {}).unwrap();
        assert_eq!(info.partitions, 0);
        info.serial
    }

    /// R15: the power fails after any of the writes, and whatever they left, the device is tampered with and has no old key.
    #[test]
    fn a_device_is_tampered_with_wherever_it_was_cut() {
        type Cut = (&'static str, fn(&Path));
        let cuts: [Cut; 6] = [
            ("nothing but the root key was overwritten", |d| std::fs::remove_file(d.join(EVENT)).unwrap()),
            ("what happened lies aside", |d| std::fs::rename(d.join(EVENT), d.join("tampered.new")).unwrap()),
            ("what happened is written down", |_| {}),
            ("the next root key lies aside, half of it", |d| std::fs::write(d.join(NEXT), [1; 16]).unwrap()),
            ("the store has begun anew, the root key has not its name", |d| {
                drop(start(d));
                std::fs::write(d.join(ROOT), STRUCK).unwrap();
            }),
            ("the root key has its name, what happened is still there", |d| {
                let event = std::fs::read(d.join(EVENT)).unwrap();
                drop(start(d));
                std::fs::write(d.join(EVENT), event).unwrap();
            }),
        ];
        for (what, cut) in cuts {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path();
            let (_, key) = struck(path);
            cut(path);
            let serial = is_tampered(path);
            assert_eq!(is_tampered(path), serial, "{what}");
            let kept = std::fs::read(path.join(ROOT)).unwrap();
            assert!(kept != key && !kept.starts_with(b"coloa"), "{what}");
            assert!(!path.join(EVENT).exists() && !path.join(NEXT).exists(), "{what}");
        }
    }

    /// R15: the name of a file goes quickly, its blocks do not: whoever holds it open sees that the key is gone from them, and
    /// that nothing had to be written before.
    #[test]
    fn the_root_key_is_overwritten_before_anything_else_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        std::fs::write(path.join(ROOT), [0x5a; 32]).unwrap();
        let held = File::open(path.join(ROOT)).unwrap();
        // Nothing else can be written there.
        std::fs::create_dir(path.join("tampered.new")).unwrap();
        strike(path, &TamperEvent { time: 7, sensor: "lid".into() }).unwrap_err();
        let mut left = [0; 32];
        held.read_exact_at(&mut left, 0).unwrap();
        assert_eq!(&left, STRUCK);
    }
}
