//! Acts that one person must not do alone (R2, boundary B6): which they are, and the proof that a quorum approves one.
//!
//! Custodians are public keys; their private halves never come near the engine. While there are none, an administrator acts
//! alone, and `coloa status` says so. A proposal is a record: it survives restarts and power cuts, and it is deleted in the very
//! commit that has its effect, so that it has that effect once. Naming other custodians ends every open proposal.

use crate::call::{Call, removal};
use crate::keyring::Key;
use crate::ledger::Change;
use crate::object::Object;
use crate::record::{self, ProposalRecord};
use crate::state::Versioned;
use crate::{Engine, Platform, RecordId};
use coloa_wire::command::CommandCode;
use coloa_wire::{AttributeType, ErrorCode, RequestId};

/// Proof that a quorum approves the act that a call is about to do. Only [`crate::service::quorum::execute`] makes one.
pub(crate) struct Approval {
    id: RequestId,
    version: u64,
    /// The version of the custodians who were asked.
    set: u64,
}

impl Approval {
    pub(crate) fn new(id: RequestId, proposal: &Versioned<ProposalRecord>) -> Self {
        Approval { id, version: proposal.version, set: proposal.record.set }
    }

    pub(crate) fn id(&self) -> RequestId {
        self.id
    }

    /// The change that uses it up.
    pub(crate) fn spend<P: Platform>(&self) -> Change<Key<P>> {
        removal(record::proposal_id(self.id), self.version)
    }

    /// The custodians must still be those who were asked.
    pub(crate) fn relies_on(&self) -> (RecordId, u64) {
        (record::CUSTODIANS, self.set)
    }
}

/// Lets a command through that needs no quorum, or has one.
pub(crate) fn admit<P: Platform>(call: &Call<'_, P>, code: CommandCode) -> Result<(), ErrorCode> {
    let alone = call.approval.is_none() && call.engine.state().custodians().is_some();
    if alone && needs_quorum(code) { Err(ErrorCode::QuorumNeeded) } else { Ok(()) }
}

/// The same by the command's number.
pub(crate) fn is_governed(code: u16) -> bool {
    CommandCode::try_from(code).is_ok_and(needs_quorum)
}

/// Trust is what keys leave under (R9): where there are custodians, the SO does not give it.
pub(crate) fn admit_trust<P: Platform>(
    engine: &Engine<P>,
    before: Option<&Object<Key<P>>>,
    after: &Object<Key<P>>,
) -> Result<(), ErrorCode> {
    use AttributeType as A;
    let was = before.is_some_and(|object| object.flag(A::TRUSTED));
    let given = !was && after.flag(A::TRUSTED) && after.number(A::KEY_TYPE).is_some();
    if given && engine.state().custodians().is_some() { Err(ErrorCode::QuorumNeeded) } else { Ok(()) }
}

/// Whether an act needs a quorum, where there are custodians.
pub(crate) fn needs_quorum(code: CommandCode) -> bool {
    use CommandCode as C;
    match code {
        C::PartitionDestroy | C::DeviceZeroize | C::CustodiansSet | C::BackupKeyCreate | C::KeyTrust => true,
        C::TamperReturn => true,
        C::DeviceInfo | C::DeviceInitialize | C::PartitionCreate | C::ClientBind | C::ClientUnbind => false,
        // None of them gives anybody a key: who makes partitions says what they may take.
        C::PartitionSet | C::PartitionSuspend | C::PartitionUsage => false,
        C::AuditRead | C::Batch | C::MechanismList => false,
        C::CustodiansRead | C::QuorumPropose | C::QuorumList | C::QuorumVote | C::QuorumExecute => false,
        C::QuorumWithdraw => false,
        C::BackupShareTake | C::BackupKeyInfo | C::BackupExportBegin | C::BackupExportBase => false,
        C::BackupExportPage => false,
        // The shares that these ask for are a quorum's.
        C::BackupRestoreBegin | C::BackupShareGive | C::BackupRestorePage | C::BackupRestoreFinish => false,
        C::BackupRestoreAbort => false,
        C::DeviceCertificates | C::AuditCheckpoint | C::AuditNote | C::KeyAttest => false,
        C::AuditorAdd | C::AuditorRemove | C::AuditorList => false,
        C::TokenList | C::TokenInitialize | C::UserPinInitialize | C::PinChange | C::SessionOpen => false,
        C::SessionClose | C::Login | C::Logout | C::ContextLogin | C::TicketIssue | C::TicketLogin => false,
        C::ObjectCreate | C::ObjectCopy | C::ObjectDestroy | C::AttributesRead | C::AttributesWrite => false,
        C::ObjectFind | C::KeyGenerate | C::KeyPairGenerate | C::KeyWrap | C::KeyUnwrap | C::KeyDerive => false,
        C::KeyEncapsulate | C::KeyDecapsulate => false,
        C::KeyList | C::KeyStateSet | C::KeyDescribe | C::KeyDestroy | C::KeyRotate => false,
        C::Sign | C::Verify | C::Encrypt | C::Decrypt | C::Random => false,
    }
}
