//! One command on its way: from number and head to a service and back.

use crate::audit::{Act, AuditEvent, result_number};
use crate::keyring::Key;
use crate::ledger::{Change, Request};
use crate::policy::Leave;
use crate::quorum::{self, Approval};
use crate::record::{self, RetryRecord};
use crate::retries::Turn;
use crate::session::Session;
use crate::state::{Fact, Partition};
use crate::{Engine, Peer, Platform, RecordId, auditor, policy, service};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use coloa_wire::attribute::class;
use coloa_wire::command::{self, CommandCode, Lifecycle, QuorumExecuteReply};
use coloa_wire::{Command, ErrorCode, Frame, MechanismType, ObjectId, RetryId, SessionId, UseTicket};
use core::cell::Cell;
use minicbor::Encode;

/// How often a command is computed anew because somebody else changed what it looked at.
const MAX_CONFLICTS: usize = 16;

/// A session, and the partition it is on.
pub(crate) type InSession<P> = (Arc<Session<P>>, Arc<Partition<P>>);

/// A call with everything a service may ask of its surroundings.
pub(crate) struct Call<'a, P: Platform> {
    pub engine: &'a Engine<P>,
    pub peer: &'a Peer,
    pub session: Option<SessionId>,
    pub bulk: &'a [u8],
    /// The reply's bulk.
    pub out: Vec<u8>,
    /// The service has logged the outcome itself.
    pub logged: bool,
    code: u16,
    head: &'a [u8],
    retry: Option<RetryId>,
    /// The digest of a request with a retry id, once it is known.
    digest: Option<(RetryId, [u8; 32])>,
    in_batch: bool,
    /// A quorum approves it.
    pub approval: Option<Approval>,
    leave: Cell<Leave>,
    /// What the log says of a management act beside its numbers.
    pub detail: Option<String>,
    /// The key that is used counts as compromised.
    tainted: Cell<bool>,
    /// The service is not an approved one (R8).
    unapproved: Cell<bool>,
}

impl<'a, P: Platform> Call<'a, P> {
    pub(crate) fn new(engine: &'a Engine<P>, peer: &'a Peer, frame: &Frame<'a>) -> Self {
        Call {
            engine,
            peer,
            session: frame.session,
            bulk: frame.bulk,
            out: Vec::new(),
            code: frame.code,
            logged: false,
            head: frame.head,
            retry: frame.retry,
            digest: None,
            in_batch: false,
            approval: None,
            leave: Cell::new(Leave::None),
            detail: None,
            tainted: Cell::new(false),
            unapproved: Cell::new(false),
        }
    }

    /// An item of this call, which is a batch.
    pub(crate) fn item(&self, frame: &Frame<'a>) -> Self {
        Call { in_batch: true, ..Call::new(self.engine, self.peer, frame) }
    }

    /// The act that a quorum approves: it runs as if it had been given now, and its answer is kept for retries of this call.
    pub(crate) fn approved(&self, act: &Frame<'a>, approval: Approval) -> Self {
        Call { approval: Some(approval), digest: self.digest, ..self.item(act) }
    }

    pub(crate) fn is_item(&self) -> bool {
        self.in_batch
    }

    /// The ticket that the command brought, for [`crate::policy::authorize`] to spend.
    pub(crate) fn present(&self, ticket: Option<UseTicket>) {
        if let (Leave::None, Some(ticket)) = (self.leave.get(), ticket) {
            self.leave.set(Leave::Ticket(ticket));
        }
    }

    pub(crate) fn leave(&self) -> &Cell<Leave> {
        &self.leave
    }

    /// Has the log mark this use of a key that counts as compromised.
    pub(crate) fn taint(&self) {
        self.tainted.set(true);
    }

    /// Has the log say that this service was not an approved one (R8).
    pub(crate) fn mark_unapproved(&self) {
        self.unapproved.set(true);
    }

    pub(crate) fn into_out(self) -> Vec<u8> {
        self.out
    }

    /// The call's session and its partition, which the caller may still see.
    pub(crate) fn session(&self) -> Result<InSession<P>, ErrorCode> {
        let id = self.session.ok_or(ErrorCode::SessionUnknown)?;
        let session = self.engine.sessions().find(id, self.peer)?;
        if !policy::may_see(&session.partition, self.peer) {
            return Err(ErrorCode::PartitionUnknown);
        }
        if session.partition.is_suspended() {
            return Err(ErrorCode::PartitionSuspended);
        }
        let partition = session.partition.clone();
        Ok((session, partition))
    }

    pub(crate) fn require_administrator(&self) -> Result<(), ErrorCode> {
        if self.peer.administrates() { Ok(()) } else { Err(ErrorCode::ChannelForbidden) }
    }

    /// Makes changes durable together with their audit record and the answer for retries.
    pub(crate) fn commit<R: Encode<()>>(&self, mut effect: Effect<Key<P>>, reply: R) -> Result<R, ErrorCode> {
        let answers = self.digest.map(|(id, _)| id);
        if let Some((id, digest)) = self.digest {
            effect.changes.push(self.remember(id, digest, &reply)?);
        }
        let mut events = self.events(&effect);
        if let Some(approval) = &self.approval {
            effect.changes.push(approval.spend::<P>());
            effect.relies_on.push(approval.relies_on());
            let executed = Act { action: CommandCode::QuorumExecute as u16, ..self.act_of_peer() };
            events.push(Act { object: Some(ObjectId(approval.id().0)), ..executed }.counted(1));
        } else if quorum::is_governed(self.code) {
            // Nobody was named custodian in the meantime.
            effect.relies_on.push((record::CUSTODIANS, 0));
        }
        let Effect { relies_on, changes, empties, .. } = effect;
        self.engine.commit(Request { relies_on, changes, empties, answers, events })?;
        Ok(reply)
    }

    /// What the log will say of an act, of each object in turn: every object that is there was once recorded (R35).
    fn events(&self, effect: &Effect<Key<P>>) -> Vec<AuditEvent> {
        let said = |object: Option<ObjectId>, kind: Option<&str>| {
            let both: Vec<&str> = kind.into_iter().chain(self.detail.as_deref()).collect();
            let detail = (!both.is_empty()).then(|| both.join("; "));
            AuditEvent { detail, ..self.event(effect.partition, object, 0) }
        };
        let of = |change: &Change<Key<P>>| match &change.fact {
            Fact::Object(_, object) => Some((object.id, (change.expected == 0).then(|| kind_word(object.class())))),
            _ => None,
        };
        let touched: Vec<_> = effect.changes.iter().filter_map(of).collect();
        let named = touched.iter().find(|(id, _)| Some(*id) == effect.object).and_then(|(_, kind)| *kind);
        let others = touched.iter().filter(|(id, _)| Some(*id) != effect.object);
        let first = said(effect.object, named);
        core::iter::once(first).chain(others.map(|(id, kind)| said(Some(*id), *kind))).collect()
    }

    /// The change that keeps the answer, in place of the oldest one.
    fn remember<R: Encode<()>>(&self, id: RetryId, request: [u8; 32], reply: &R) -> Result<Change<Key<P>>, ErrorCode> {
        let Turn { order, place, version } = self.engine.state().retry_turn(self.engine.platform().limits().retries);
        let mut head = Vec::new();
        command::encode_head(reply, &mut head);
        if self.approval.is_some() {
            let act = core::mem::take(&mut head);
            command::encode_head(&QuorumExecuteReply { head: act }, &mut head);
        }
        let answer = RetryRecord { request, head, order, id };
        self.engine.device_change(record::retry_id(place), version, &answer, Fact::Retry(place, answer.clone()))
    }

    /// Logs an act that has no other effect in the store.
    pub(crate) fn record(&self) -> Result<(), ErrorCode> {
        let event = self.event(None, None, 0);
        self.engine.commit(Request { events: [event].into(), ..Request::default() })
    }

    /// What the audit log will say of this call.
    pub(crate) fn event(
        &self,
        partition: Option<coloa_wire::PartitionId>,
        object: Option<ObjectId>,
        result: u16,
    ) -> AuditEvent {
        Act { result, partition, object, ..self.act_of_peer() }.counted(1)
    }

    fn act_of_peer(&self) -> Act {
        Act { who: Some(Arc::new(self.peer.clone())), action: self.code, ..Act::default() }
    }

    /// Logs a use of a key. A use that cannot be logged has no result.
    pub(crate) fn used<T>(
        &self,
        session: &Session<P>,
        object: ObjectId,
        mechanism: MechanismType,
        outcome: Result<T, ErrorCode>,
    ) -> Result<T, ErrorCode> {
        let result = match &outcome {
            Ok(_) if self.tainted.get() => ErrorCode::KeyCompromisedUsed.number(),
            other => result_number(other),
        };
        let detail = self.unapproved.get().then_some(NOT_APPROVED);
        let act = Act { mechanism: Some(mechanism), detail, ..self.act(session, Some(object), result) };
        let logged = self.engine.count_use(act);
        if outcome.is_ok() {
            session.partition.activity.note(self.engine.platform().now());
        }
        outcome.and_then(|value| logged.map(|()| value))
    }

    /// Logs what happened in the session only.
    pub(crate) fn note(&self, session: &Session<P>, object: Option<ObjectId>) {
        // It has happened; later ones are refused.
        let _ = self.engine.count_use(Act { detail: Some(IN_SESSION), ..self.act(session, object, 0) });
    }

    fn act(&self, session: &Session<P>, object: Option<ObjectId>, result: u16) -> Act {
        let (who, partition) = (Some(session.peer().clone()), Some(session.partition.id));
        Act { object, action: self.code, result, partition, who, ..Act::default() }
    }

    /// A retry id is worth something only to the same caller, on the same partition, for the same request.
    fn digest_request(&mut self, code: CommandCode) -> Result<(), ErrorCode> {
        let login = matches!(code, CommandCode::Login | CommandCode::ContextLogin | CommandCode::TicketLogin);
        let Some(id) = self.retry.filter(|_| code.changes_state() && !login) else { return Ok(()) };
        let partition = match self.session {
            Some(_) => self.session()?.1.id.0,
            None => [0; 16],
        };
        let (kind, identity, name) = self.peer.distinction();
        let length = |bytes: &[u8]| (bytes.len() as u64).to_be_bytes();
        let lengths = [length(name.as_bytes()), length(self.head)].concat();
        let (code, head) = (self.code.to_be_bytes(), self.head);
        let parts: [&[u8]; 8] = [&[kind], &identity, &partition, &code, &lengths, name.as_bytes(), head, self.bulk];
        self.digest = Some((id, self.engine.request_digest(&parts)?));
        Ok(())
    }
}

/// What a management command does, for [`Call::commit`].
pub(crate) struct Effect<K> {
    pub partition: Option<coloa_wire::PartitionId>,
    pub object: Option<ObjectId>,
    pub relies_on: Vec<(RecordId, u64)>,
    pub changes: Vec<Change<K>>,
    /// See [`Request::empties`].
    pub empties: Option<coloa_wire::PartitionId>,
}

impl<K> Effect<K> {
    pub(crate) fn on_device() -> Self {
        Effect { partition: None, object: None, relies_on: Vec::new(), changes: Vec::new(), empties: None }
    }

    pub(crate) fn on_partition(id: coloa_wire::PartitionId, changes: Vec<Change<K>>) -> Self {
        Effect { partition: Some(id), changes, ..Self::on_device() }
    }
}

/// What the log says of a service that is not approved (R8).
pub(crate) const NOT_APPROVED: &str = "not approved";

/// What the log says of an object that is not stored.
const IN_SESSION: &str = "session";

/// What the log calls a new object of this class.
fn kind_word(of: u64) -> &'static str {
    match of {
        class::PUBLIC_KEY => "public key",
        class::PRIVATE_KEY => "private key",
        class::SECRET_KEY => "secret key",
        _ => "object",
    }
}

/// The change that deletes a record.
pub(crate) fn removal<K>(id: RecordId, expected: u64) -> Change<K> {
    Change { id, expected, value: None, fact: Fact::Removed }
}

/// Finds the service of a command, runs it, and encodes its reply's head.
pub(crate) fn dispatch<P: Platform>(
    call: &mut Call<'_, P>,
    code: u16,
    head: &[u8],
    reply: &mut Vec<u8>,
) -> Result<(), ErrorCode> {
    let code = CommandCode::try_from(code)?;
    admit(call.engine, code)?;
    call.engine.catch_up()?;
    call.digest_request(code)?;
    for _ in 0..MAX_CONFLICTS {
        if let Some(answer) = answered_before(call)? {
            reply.extend_from_slice(&answer);
            return Ok(());
        }
        match serve(call, code, head, reply) {
            Err(ErrorCode::Conflict) => catch_up(call)?,
            Err(error) => {
                note_refusal(call, code, error);
                return Err(error);
            }
            Ok(()) => return Ok(()),
        }
    }
    Err(ErrorCode::Conflict)
}

/// Takes in what the command did not know: others' commits, and objects that only the store had.
fn catch_up<P: Platform>(call: &Call<'_, P>) -> Result<(), ErrorCode> {
    if let Ok((_, partition)) = call.session() {
        call.engine.read_objects(&partition, &partition.take_wanted())?;
    }
    call.engine.catch_up()
}

/// What the device serves depends on where it is in its life.
pub(crate) fn admit<P: Platform>(engine: &Engine<P>, code: CommandCode) -> Result<(), ErrorCode> {
    use CommandCode as C;
    match (engine.lifecycle(), code) {
        (Lifecycle::Operational, _) | (_, C::DeviceInfo) => Ok(()),
        // What is out of order may still be destroyed.
        (Lifecycle::Error, C::DeviceZeroize) => Ok(()),
        (Lifecycle::Manufactured, C::DeviceInitialize | C::TokenList | C::MechanismList) => Ok(()),
        (Lifecycle::Manufactured, _) => Err(ErrorCode::DeviceNotInitialized),
        (Lifecycle::Error, _) => Err(ErrorCode::ErrorState),
        // R15: what leads to a quorum's decision, and what an auditor may read.
        (Lifecycle::Tampered, C::TamperReturn | C::TokenList | C::AuditRead | C::CustodiansRead) => Ok(()),
        (Lifecycle::Tampered, C::QuorumPropose | C::QuorumList | C::QuorumVote) => Ok(()),
        (Lifecycle::Tampered, C::QuorumExecute | C::QuorumWithdraw) => Ok(()),
        (Lifecycle::Tampered, _) => Err(ErrorCode::DeviceTampered),
    }
}

fn answered_before<P: Platform>(call: &Call<'_, P>) -> Result<Option<Vec<u8>>, ErrorCode> {
    let Some((id, request)) = call.digest else { return Ok(None) };
    match call.engine.state().retry(id) {
        Some(answer) if answer.request == request => Ok(Some(answer.head)),
        Some(_) => Err(ErrorCode::RetryIdReused),
        None => Ok(None),
    }
}

/// A management act that was refused is counted in the log too, and so is every attempt at what belongs to others.
fn note_refusal<P: Platform>(call: &Call<'_, P>, code: CommandCode, error: ErrorCode) {
    use ErrorCode as E;
    let trespass =
        matches!(error, E::ChannelForbidden | E::PartitionUnknown | E::SessionUnknown | E::PartitionSuspended);
    if call.logged || !(code.changes_state() || trespass) {
        return;
    }
    let refused = match call.session() {
        Ok((session, _)) => call.act(&session, None, error.number()),
        Err(_) => Act { result: error.number(), ..call.act_of_peer() },
    };
    // It is refused anyway.
    let _ = call.engine.count_use(refused);
}

/// Runs the service of a command.
pub(crate) fn serve<P: Platform>(
    call: &mut Call<'_, P>,
    code: CommandCode,
    head: &[u8],
    reply: &mut Vec<u8>,
) -> Result<(), ErrorCode> {
    use CommandCode as C;
    quorum::admit(call, code)?;
    auditor::admit(call, code)?;
    match code {
        C::DeviceInfo => run(call, head, reply, service::device::info),
        C::DeviceInitialize => run(call, head, reply, service::device::initialize),
        C::PartitionCreate => run(call, head, reply, service::device::create_partition),
        C::PartitionDestroy => run(call, head, reply, service::device::destroy_partition),
        C::ClientBind => run(call, head, reply, service::device::bind_client),
        C::ClientUnbind => run(call, head, reply, service::device::unbind_client),
        C::AuditRead => run(call, head, reply, service::device::read_audit),
        C::Batch => run(call, head, reply, service::batch::run),
        C::DeviceZeroize => run(call, head, reply, service::zeroize::zeroize),
        C::MechanismList => run(call, head, reply, service::device::list_mechanisms),
        C::CustodiansRead => run(call, head, reply, service::quorum::custodians),
        C::CustodiansSet => run(call, head, reply, service::quorum::set_custodians),
        C::QuorumPropose => run(call, head, reply, service::quorum::propose),
        C::QuorumList => run(call, head, reply, service::quorum::list),
        C::QuorumVote => run(call, head, reply, service::quorum::vote),
        C::QuorumExecute => run(call, head, reply, service::quorum::execute),
        C::QuorumWithdraw => run(call, head, reply, service::quorum::withdraw),
        C::TamperReturn => run(call, head, reply, service::tamper::return_from),
        C::KeyTrust => run(call, head, reply, service::trust::trust),
        C::BackupKeyCreate => run(call, head, reply, service::backup::create_key),
        C::BackupShareTake => run(call, head, reply, service::backup::take_share),
        C::BackupKeyInfo => run(call, head, reply, service::backup::key_info),
        C::BackupExportBegin => run(call, head, reply, service::backup::begin_export),
        C::BackupExportBase => run(call, head, reply, service::backup::take_base),
        C::BackupExportPage => run(call, head, reply, service::backup::export_page),
        C::BackupRestoreBegin => run(call, head, reply, service::backup::begin_restore),
        C::BackupShareGive => run(call, head, reply, service::backup::give_share),
        C::BackupRestorePage => run(call, head, reply, service::backup::restore_page),
        C::BackupRestoreFinish => run(call, head, reply, service::backup::finish_restore),
        C::BackupRestoreAbort => run(call, head, reply, service::backup::abort_restore),
        C::KeyList => run(call, head, reply, service::life::list),
        C::KeyStateSet => run(call, head, reply, service::life::set_state),
        C::KeyDescribe => run(call, head, reply, service::life::describe),
        C::KeyDestroy => run(call, head, reply, service::life::destroy),
        C::KeyRotate => run(call, head, reply, service::life::rotate),
        C::DeviceCertificates => run(call, head, reply, service::witness::certificates),
        C::AuditCheckpoint => run(call, head, reply, service::witness::checkpoint),
        C::AuditNote => run(call, head, reply, service::witness::note),
        C::KeyAttest => run(call, head, reply, service::witness::attest),
        C::AuditorAdd => run(call, head, reply, service::witness::add_auditor),
        C::AuditorRemove => run(call, head, reply, service::witness::remove_auditor),
        C::AuditorList => run(call, head, reply, service::witness::auditors),
        C::PartitionSet => run(call, head, reply, service::partition::set),
        C::PartitionSuspend => run(call, head, reply, service::partition::suspend),
        C::PartitionUsage => run(call, head, reply, service::partition::usage),
        C::TokenList => run(call, head, reply, service::token::list),
        C::TokenInitialize => run(call, head, reply, service::token::initialize),
        C::UserPinInitialize => run(call, head, reply, service::token::initialize_user_pin),
        C::PinChange => run(call, head, reply, service::token::change_pin),
        C::SessionOpen => run(call, head, reply, service::token::open_session),
        C::SessionClose => run(call, head, reply, service::token::close_session),
        C::Login => run(call, head, reply, service::token::log_in),
        C::Logout => run(call, head, reply, service::token::log_out),
        C::TicketIssue => run(call, head, reply, service::token::issue_ticket),
        C::TicketLogin => run(call, head, reply, service::token::log_in_by_ticket),
        C::ContextLogin => run(call, head, reply, service::token::log_in_for_one_use),
        C::ObjectCreate => run(call, head, reply, service::object::create),
        C::ObjectCopy => run(call, head, reply, service::object::copy),
        C::ObjectDestroy => run(call, head, reply, service::object::destroy),
        C::AttributesRead => run(call, head, reply, service::object::read_attributes),
        C::AttributesWrite => run(call, head, reply, service::object::write_attributes),
        C::ObjectFind => run(call, head, reply, service::object::find),
        C::KeyGenerate => run(call, head, reply, service::key::generate),
        C::KeyPairGenerate => run(call, head, reply, service::key::generate_pair),
        C::KeyWrap => run(call, head, reply, service::wrap::wrap),
        C::KeyUnwrap => run(call, head, reply, service::wrap::unwrap),
        C::KeyDerive => run(call, head, reply, service::derive::derive),
        C::KeyEncapsulate => run(call, head, reply, service::encapsulate::encapsulate),
        C::KeyDecapsulate => run(call, head, reply, service::encapsulate::decapsulate),
        C::Sign => run(call, head, reply, service::crypto::sign),
        C::Verify => run(call, head, reply, service::crypto::verify),
        C::Encrypt => run(call, head, reply, service::crypto::encrypt),
        C::Decrypt => run(call, head, reply, service::crypto::decrypt),
        C::Random => run(call, head, reply, service::crypto::random),
    }
}

/// Ties a command's request to its reply by type.
fn run<C: Command, P: Platform>(
    call: &mut Call<'_, P>,
    head: &[u8],
    reply: &mut Vec<u8>,
    service: fn(&mut Call<'_, P>, C) -> Result<C::Reply, ErrorCode>,
) -> Result<(), ErrorCode> {
    let command = command::decode_head(head)?;
    let answer = service(call, command)?;
    command::encode_head(&answer, reply);
    Ok(())
}
