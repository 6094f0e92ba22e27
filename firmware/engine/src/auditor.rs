//! The auditor (R1): the holder of a certificate that is bound to the device, not to a partition. May read all that is no
//! secret, and use and change nothing. The role outweighs every other right the same certificate may have.

use crate::call::Call;
use crate::record::{AuditorsRecord, Client};
use crate::state::Versioned;
use crate::{Peer, Platform};
use alloc::vec::Vec;
use coloa_wire::command::CommandCode;
use coloa_wire::{ErrorCode, Identity};
use core::sync::atomic::{AtomicBool, Ordering};
use lock_api::{RawRwLock, RwLock};

/// Who the auditors are.
pub(crate) struct Auditors<L: RawRwLock> {
    /// Whether there are any. Every command asks: it must not cost them a lock.
    any: AtomicBool,
    known: RwLock<L, Option<Versioned<AuditorsRecord>>>,
}

impl<L: RawRwLock> Auditors<L> {
    pub(crate) fn new() -> Self {
        Auditors { any: AtomicBool::new(false), known: RwLock::new(None) }
    }

    pub(crate) fn known(&self) -> Option<Versioned<AuditorsRecord>> {
        self.known.read().clone()
    }

    pub(crate) fn put(&self, record: Option<Versioned<AuditorsRecord>>) {
        let mut known = self.known.write();
        self.any.store(record.as_ref().is_some_and(|r| !r.record.auditors.is_empty()), Ordering::Release);
        *known = record;
    }

    pub(crate) fn list(&self) -> Vec<Client> {
        self.known().map(|known| known.record.auditors.clone()).unwrap_or_default()
    }

    pub(crate) fn knows(&self, identity: &Identity) -> bool {
        let is_one = |known: &Versioned<AuditorsRecord>| known.record.auditors.iter().any(|a| a.identity == *identity);
        self.any.load(Ordering::Acquire) && self.known.read().as_ref().is_some_and(is_one)
    }

    pub(crate) fn has(&self, peer: &Peer) -> bool {
        peer.identity().is_some_and(|identity| self.knows(&identity))
    }
}

/// Lets a command through that an auditor may give, or that is not an auditor's.
pub(crate) fn admit<P: Platform>(call: &Call<'_, P>, code: CommandCode) -> Result<(), ErrorCode> {
    let refused = !may(code) && call.engine.state().auditors().has(call.peer);
    if refused { Err(ErrorCode::ChannelForbidden) } else { Ok(()) }
}

/// Who may read the audit log.
pub(crate) fn require_reader<P: Platform>(call: &Call<'_, P>) -> Result<(), ErrorCode> {
    let auditor = call.engine.state().auditors().has(call.peer);
    if auditor { Ok(()) } else { call.require_administrator() }
}

/// Whether an auditor may give this command (R1). A batch may hold any command, so it is none of them.
fn may(code: CommandCode) -> bool {
    use CommandCode as C;
    match code {
        C::DeviceInfo | C::MechanismList | C::TokenList | C::CustodiansRead => true,
        C::PartitionUsage => true,
        C::PartitionSet | C::PartitionSuspend => false,
        C::AuditRead | C::AuditCheckpoint | C::DeviceCertificates | C::AuditorList => true,
        C::DeviceInitialize | C::DeviceZeroize | C::PartitionCreate | C::PartitionDestroy => false,
        C::ClientBind | C::ClientUnbind | C::AuditorAdd | C::AuditorRemove | C::Batch => false,
        C::CustodiansSet | C::QuorumPropose | C::QuorumList | C::QuorumVote | C::QuorumExecute => false,
        C::QuorumWithdraw | C::KeyTrust | C::KeyAttest | C::AuditNote | C::TamperReturn => false,
        C::TokenInitialize | C::UserPinInitialize | C::PinChange | C::SessionOpen | C::SessionClose => false,
        C::Login | C::Logout | C::ContextLogin | C::TicketIssue | C::TicketLogin => false,
        C::ObjectCreate | C::ObjectCopy | C::ObjectDestroy | C::AttributesRead | C::AttributesWrite => false,
        C::ObjectFind | C::KeyGenerate | C::KeyPairGenerate | C::KeyWrap | C::KeyUnwrap | C::KeyDerive => false,
        C::KeyEncapsulate | C::KeyDecapsulate => false,
        C::KeyList => true,
        C::KeyStateSet | C::KeyDescribe | C::KeyDestroy | C::KeyRotate => false,
        C::BackupKeyInfo | C::BackupKeyCreate | C::BackupShareTake | C::BackupExportBegin | C::BackupExportBase => {
            false
        }
        C::BackupExportPage | C::BackupRestoreBegin | C::BackupShareGive | C::BackupRestorePage => false,
        C::BackupRestoreFinish | C::BackupRestoreAbort => false,
        C::Sign | C::Verify | C::Encrypt | C::Decrypt | C::Random => false,
    }
}
