//! Backups under a master backup key that custodians hold together (R2, R3, R20).
//!
//! The key is drawn here and split at once ([`share`]); the engine keeps it sealed under its device key ([`key`]), so that a
//! scheduled backup asks nobody, and a restore elsewhere asks the custodians. An [`archive`] is written while the device
//! works ([`exporting`]): it is the state of one moment all the same, because it ends with a catalogue that was true under one
//! lock. It is restored ([`restoring`]) into an empty device: staged where no command sees it ([`staging`]), read back,
//! compared, and made visible by one small commit.
//!
//! Where there are custodians, drawing the key needs a quorum of them ([`crate::quorum`]), for who takes its shares can read
//! every backup; another key in its place always does. An older state over a newer one of the same device is refused to
//! everybody: a quorum's text would have to name the archive.
//!
//! What is not in an archive: the partitions' KEKs (the restoring device draws its own), the body's own secrets (its TLS keys
//! stay its own: clients are enrolled anew), answers kept for retries, the audit log (`coloa audit export`).

pub mod archive;
pub(crate) mod exporting;
pub(crate) mod key;
pub(crate) mod restoring;
pub(crate) mod share;
pub(crate) mod staging;

use crate::Platform;
use crate::record::RecordKind;
use exporting::Exporting;
use lock_api::RwLock;
use restoring::Restoring;

/// What was begun and is not used for so long is given up, with every secret in it.
pub(crate) const IDLE_MS: u64 = 10 * 60 * 1000;

/// What is under way: one export and one restore at most.
pub(crate) struct Backups<P: Platform> {
    pub exporting: RwLock<P::Lock, Option<Exporting<P>>>,
    pub restoring: RwLock<P::Lock, Option<Restoring<P>>>,
}

impl<P: Platform> Backups<P> {
    pub(crate) fn new() -> Self {
        Backups { exporting: RwLock::new(None), restoring: RwLock::new(None) }
    }

    /// Gives up everything, with the keys and shares in it.
    pub(crate) fn end(&self) {
        *self.exporting.write() = None;
        *self.restoring.write() = None;
    }

    /// Gives up what nobody has used for long. The clock is asked under each lock: asked before, it would be behind a command that
    /// was carried out meanwhile, as if it had been set back, and what was just used would be given up.
    pub(crate) fn expire(&self, now: impl Fn() -> u64) {
        let old = |used: u64| {
            let now = now();
            now.saturating_sub(used) > IDLE_MS || now < used
        };
        let mut exporting = self.exporting.write();
        if exporting.as_ref().is_some_and(|e| old(e.used)) {
            *exporting = None;
        }
        drop(exporting);
        let mut restoring = self.restoring.write();
        if restoring.as_ref().is_some_and(|r| old(r.used)) {
            *restoring = None;
        }
    }
}

/// Whether records of this kind go into an archive.
pub(crate) fn is_carried(kind: RecordKind) -> bool {
    match kind {
        RecordKind::Partition | RecordKind::Auth | RecordKind::Object | RecordKind::Uses => true,
        // Who must agree is still asked on the restored device.
        RecordKind::Custodians => true,
        RecordKind::Root | RecordKind::Audit => false,
        // Who vouches for a device and who looks at it are the device's own too.
        RecordKind::Witness | RecordKind::Auditors => false,
        // The device's own: its serial number, its body's TLS keys, the custodians' key, what they were asked.
        RecordKind::Device | RecordKind::Body | RecordKind::BackupKey | RecordKind::Proposal => false,
        RecordKind::OldRetry | RecordKind::Retry | RecordKind::Staged | RecordKind::Tamper => false,
    }
}
