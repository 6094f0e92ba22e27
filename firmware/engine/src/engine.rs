//! The engine: its start, the one entry for frames, and what its services share.

use crate::audit::{Act, Head, PendingUses, STARTED, result_number};
use crate::backup::{Backups, staging};
use crate::call::{Call, dispatch};
use crate::keyring::{Key, Keyring};
use crate::ledger::{Change, Desk, Ledger, Request, View};
use crate::record;
use crate::session::Sessions;
use crate::state::{Fact, Partition, State};
use crate::tamper::{self, Bequest, TamperEvent};
use crate::witness::Mark;
use crate::{Crypto, CryptoError, Epitaph, Hash, Peer, Platform, RecordId, ZeroizeError, selftest};
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use coloa_wire::command::Lifecycle;
use coloa_wire::frame::{FrameKind, MIN_HEADER};
use coloa_wire::hello::{ClientHello, PROTOCOL, ServerHello};
use coloa_wire::{ErrorCode, Frame, Identity, ObjectId, PartitionId, command};
use core::sync::atomic::{AtomicBool, Ordering};
use lock_api::RwLock;
use minicbor::Encode;
use zeroize::Zeroizing;

/// The HSM. One for each body; shared by every thread.
pub struct Engine<P: Platform> {
    platform: P,
    keys: Keyring<P>,
    state: State<P>,
    ledger: Ledger<P>,
    sessions: Sessions<P>,
    uses: RwLock<P::Lock, PendingUses>,
    backups: Backups<P>,
    failed: AtomicBool,
    /// It was zeroized: nothing is written any more.
    ended: AtomicBool,
    /// How far the audit log was signed, and when that was looked at.
    signed: RwLock<P::Lock, Mark>,
}

/// Why the engine did not start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartError {
    /// The known-answer test of this algorithm failed (R5): no service at all.
    SelfTest(&'static str),
    /// The store does not open; the code says why.
    Store(ErrorCode),
}

impl<P: Platform> Engine<P> {
    /// Tests the provider (R5), then reads the store and checks it against its root (R36).
    ///
    /// # Errors
    /// See [`StartError`]; the body then serves nothing.
    pub fn start(platform: P) -> Result<Self, StartError> {
        selftest::run(platform.crypto()).map_err(StartError::SelfTest)?;
        selftest::image(platform.image().as_ref()).map_err(StartError::SelfTest)?;
        let keys = Keyring::derive(&platform).map_err(|_| StartError::Store(ErrorCode::Internal))?;
        let state = State::new();
        let desk = Desk { platform: &platform, keys: &keys, state: &state };
        let ledger = Ledger::open(&desk).map_err(StartError::Store)?;
        let engine = Self::assembled(platform, keys, state, ledger);
        staging::clear_leftovers(&engine);
        engine.ledger.keep_snapshot(&engine.desk());
        engine.testify().map_err(|_| StartError::Store(ErrorCode::StoreFailed))?;
        tracing::info!(lifecycle = ?engine.lifecycle(), "engine started");
        if engine.lifecycle() == Lifecycle::Operational {
            engine.uses.write().count(Act { action: STARTED, ..Act::default() }, engine.platform.now());
        }
        Ok(engine)
    }

    /// Starts a device that was tampered with (R15), on what is left of its store and with a new root key: see
    /// [`crate::tamper`]. Called again after a cut, it begins anew.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start_tampered(
        platform: P,
        testament: Option<&[u8]>,
        event: Option<TamperEvent>,
    ) -> Result<Self, StartError> {
        selftest::run(platform.crypto()).map_err(StartError::SelfTest)?;
        let keys = Keyring::derive(&platform).map_err(|_| StartError::Store(ErrorCode::Internal))?;
        let (generation, head) = tamper::clear(&platform).map_err(StartError::Store)?;
        let engine = Self::assembled(platform, keys, State::new(), Ledger::succeeding(generation, head));
        engine.inherit(Bequest::new(testament, event)).map_err(StartError::Store)?;
        tracing::warn!("the device was tampered with: its keys are destroyed, and a quorum has it return");
        Ok(engine)
    }

    fn assembled(platform: P, keys: Keyring<P>, state: State<P>, ledger: Ledger<P>) -> Self {
        let (sessions, uses) = (Sessions::new(), RwLock::new(PendingUses::default()));
        let (backups, failed, ended) = (Backups::new(), AtomicBool::new(false), AtomicBool::new(false));
        let signed = RwLock::new(Mark { number: ledger.audit_head().0, time: platform.now() });
        Engine { platform, keys, state, ledger, sessions, uses, backups, failed, ended, signed }
    }

    /// Answers one frame. `reply` gets exactly one frame: a reply, or a fault after which the body closes the stream.
    /// It may be called from many threads at once, for the same peer too.
    pub fn handle(&self, peer: &Peer, frame: &[u8], reply: &mut Vec<u8>) {
        match Frame::parse(frame) {
            Ok(frame) if frame.kind == FrameKind::Call => self.answer(peer, &frame, reply),
            Ok(frame) if frame.kind == FrameKind::Hello => self.greet(&frame, reply),
            Ok(frame) => refuse(FrameKind::Fault, ErrorCode::FrameMalformed, frame.request, reply),
            Err(error) => refuse(FrameKind::Fault, error, 0, reply),
        }
    }

    /// To be called every [`crate::audit::FLUSH_MS`] or so: brings key uses into the log.
    pub fn tick(&self) {
        self.backups.expire(|| self.platform.now().0);
        let due = self.uses.read().is_due(self.platform.now());
        if due {
            let _ = self.flush_uses();
        }
        self.sign_log_if_due();
    }

    /// Brings everything into the store that is not there yet; call it before the body stops.
    pub fn flush(&self) {
        let _ = self.flush_uses();
        if !self.failed.load(Ordering::Acquire) {
            self.ledger.keep_snapshot(&self.desk());
        }
    }

    /// Ends the sessions of a caller whose last channel has closed.
    pub fn forget(&self, peer: &Peer) {
        self.sessions.close_owner(peer);
    }

    /// How many sessions are open.
    pub fn open_sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Where the device is in its life.
    pub fn lifecycle(&self) -> Lifecycle {
        match (self.failed.load(Ordering::Acquire), self.state.is_initialized()) {
            (true, _) => Lifecycle::Error,
            (false, true) if self.state.is_tampered() => Lifecycle::Tampered,
            (false, false) => Lifecycle::Manufactured,
            (false, true) => Lifecycle::Operational,
        }
    }

    /// Whether a client certificate is bound to any partition (R22), or an auditor's.
    pub fn is_bound(&self, identity: &Identity) -> bool {
        self.state.auditors().knows(identity) || self.state.partitions().iter().any(|p| p.is_bound_to(identity))
    }

    /// Every client that is bound to a partition, with its name, in the order of the partitions.
    pub fn bound_clients(&self) -> Vec<(PartitionId, Identity, String)> {
        let mut bound = Vec::new();
        for partition in self.state.partitions() {
            let clients = &partition.info().record.clients;
            bound.extend(clients.iter().map(|c| (partition.id, c.identity, c.name.clone())));
        }
        bound
    }

    /// The body's platform.
    pub fn platform(&self) -> &P {
        &self.platform
    }

    /// A secret the body keeps in the store, such as its TLS key, sealed like everything else.
    ///
    /// # Errors
    /// `StoreFailed`, `StoreCorrupt`, `StoreRolledBack`.
    pub fn body_secret(&self, name: [u8; 16]) -> Result<Option<Zeroizing<Vec<u8>>>, ErrorCode> {
        Ok(self.device_record(&record::body_id(name))?.map(|(_, plain)| plain))
    }

    /// Stores such a secret, in place of an older one.
    ///
    /// # Errors
    /// `StoreFull`, `StoreFailed`, `OutcomeUnknown`, `Conflict`.
    pub fn set_body_secret(&self, name: [u8; 16], secret: &[u8]) -> Result<(), ErrorCode> {
        let id = record::body_id(name);
        let version = self.noting_damage(self.ledger.read(&self.desk(), &id))?.map_or(0, |(version, _)| version);
        let value = self.seal(&self.keys.device, &id, version, secret)?;
        self.commit_quietly(vec![Change { id, expected: version, value: Some(value), fact: Fact::Opaque }])
    }

    pub(crate) fn state(&self) -> &State<P> {
        &self.state
    }

    pub(crate) fn backups(&self) -> &Backups<P> {
        &self.backups
    }

    pub(crate) fn sessions(&self) -> &Sessions<P> {
        &self.sessions
    }

    pub(crate) fn signed(&self) -> &RwLock<P::Lock, Mark> {
        &self.signed
    }

    pub(crate) fn has_ended(&self) -> &AtomicBool {
        &self.ended
    }

    pub(crate) fn position(&self) -> (Head, u64) {
        self.ledger.position()
    }

    pub(crate) fn audit_head(&self) -> (u64, [u8; 32]) {
        self.ledger.audit_head()
    }

    /// Takes in what other processes committed to a shared store.
    pub(crate) fn catch_up(&self) -> Result<(), ErrorCode> {
        use crate::Store;
        if !self.platform.store().is_shared() {
            return Ok(());
        }
        self.noting_damage(self.ledger.catch_up(&self.desk()))
    }

    /// Reads objects that only the store has so far.
    pub(crate) fn read_objects(&self, partition: &Partition<P>, ids: &[ObjectId]) -> Result<(), ErrorCode> {
        ids.iter().try_for_each(|id| self.noting_damage(self.ledger.read_object(&self.desk(), partition, *id)))
    }

    /// A record that is sealed under the device key and has no place in the state, with its version.
    pub(crate) fn device_record(&self, id: &RecordId) -> Result<Option<record::Opened>, ErrorCode> {
        let stored = self.noting_damage(self.ledger.read(&self.desk(), id))?;
        let open = |(version, sealed): (u64, Vec<u8>)| {
            let plain = record::open(self.platform.crypto(), &self.keys.device, id, version, &sealed)?;
            Ok((version, plain))
        };
        stored.map(open).transpose()
    }

    /// Looks at the store and the state as they are at one moment.
    pub(crate) fn at_once<T>(&self, look: impl Fn(&View<'_, P>) -> Result<T, ErrorCode>) -> Result<T, ErrorCode> {
        self.noting_damage(self.ledger.at_once(&self.desk(), look))
    }

    /// Commits a request: durable when it returns.
    pub(crate) fn commit(&self, request: Request<Key<P>>) -> Result<(), ErrorCode> {
        if self.ended.load(Ordering::Acquire) {
            return Err(ErrorCode::ErrorState);
        }
        self.noting_damage(self.ledger.commit(&self.desk(), request))
    }

    /// Commits changes that are no act of their own in the log.
    pub(crate) fn commit_quietly(&self, changes: Vec<Change<Key<P>>>) -> Result<(), ErrorCode> {
        self.commit(Request { changes, ..Request::default() })
    }

    /// Counts a key use; it reaches the log soon.
    ///
    /// # Errors
    /// The log has not been written for too long: the use must not have an effect (R17).
    pub(crate) fn count_use(&self, act: Act) -> Result<(), ErrorCode> {
        let now = self.platform.now();
        let due = self.uses.write().count(act, now);
        if !due {
            return Ok(());
        }
        let flushed = self.flush_uses();
        if self.uses.read().is_overdue(now) { flushed } else { Ok(()) }
    }

    /// The change that puts a record sealed under the device key.
    pub(crate) fn device_change<T: Encode<()>>(
        &self,
        id: RecordId,
        expected: u64,
        record: &T,
        fact: Fact<Key<P>>,
    ) -> Result<Change<Key<P>>, ErrorCode> {
        let value = self.seal(&self.keys.device, &id, expected, &record::encode(record))?;
        Ok(Change { id, expected, value: Some(value), fact })
    }

    /// Seals a record's next version.
    pub(crate) fn seal(&self, key: &Key<P>, id: &RecordId, expected: u64, plain: &[u8]) -> Result<Vec<u8>, ErrorCode> {
        let sealed = record::seal(self.platform.crypto(), key, id, expected.saturating_add(1), plain);
        sealed.map_err(|error| self.crypto_failed(error))
    }

    /// A keyed digest of who asks for what, so that a retry id is not taken for another request's.
    pub(crate) fn request_digest(&self, parts: &[&[u8]]) -> Result<[u8; 32], ErrorCode> {
        self.mac(&self.keys.set, parts)
    }

    /// Authenticates a login ticket.
    pub(crate) fn ticket_mac(&self, parts: &[&[u8]]) -> Result<[u8; 32], ErrorCode> {
        self.mac(&self.keys.tickets, parts)
    }

    fn mac(&self, key: &Key<P>, parts: &[&[u8]]) -> Result<[u8; 32], ErrorCode> {
        let mac = self.platform.crypto().mac(key, Hash::Sha256, parts);
        let mac = mac.map_err(|error| self.crypto_failed(error))?;
        mac.as_ref().try_into().map_err(|_| ErrorCode::Internal)
    }

    /// Random bytes for ids and keys.
    pub(crate) fn random<const N: usize>(&self) -> Result<[u8; N], ErrorCode> {
        let mut out = [0; N];
        self.platform.crypto().random(&mut out).map_err(|error| self.crypto_failed(error))?;
        Ok(out)
    }

    /// The code for a provider's error. A failed source or conditional test puts the engine into its error state (R6).
    pub(crate) fn crypto_failed(&self, error: CryptoError) -> ErrorCode {
        match error {
            CryptoError::Entropy => self.fail("random number source", ErrorCode::EntropyFailed),
            CryptoError::Inconsistent => self.fail("pairwise consistency test", ErrorCode::ErrorState),
            CryptoError::Invalid | CryptoError::Unsupported => ErrorCode::MechanismParameter,
            CryptoError::Length => ErrorCode::DataLength,
            CryptoError::Unauthentic => ErrorCode::SignatureInvalid,
        }
    }

    /// The code for a provider that cannot split secrets, or fails at it.
    pub(crate) fn sharing_failed(&self, error: CryptoError) -> ErrorCode {
        match error {
            CryptoError::Unsupported => ErrorCode::MechanismUnsupported,
            error => self.crypto_failed(error),
        }
    }

    fn fail(&self, what: &'static str, error: ErrorCode) -> ErrorCode {
        self.failed.store(true, Ordering::Release);
        tracing::error!(what, "the engine is in its error state: it refuses cryptography");
        error
    }

    /// Zeroizes the body, and drops what was known in memory, which is wiped with it.
    pub(crate) fn end(&self, epitaph: &Epitaph) -> Result<(), ZeroizeError> {
        let outcome = self.platform.zeroize(epitaph);
        if outcome == Err(ZeroizeError::Unsupported) {
            return outcome;
        }
        self.failed.store(true, Ordering::Release);
        self.ended.store(true, Ordering::Release);
        self.backups.end();
        self.state.replace(State::new());
        self.sessions.close_retired();
        tracing::warn!(serial = epitaph.serial, who = epitaph.who, ?outcome, "the device was zeroized");
        outcome
    }

    /// As [`Engine::end`], but nothing comes before the root key.
    pub(crate) fn strike(&self, event: &TamperEvent) -> Result<(), ZeroizeError> {
        self.failed.store(true, Ordering::Release);
        self.ended.store(true, Ordering::Release);
        let outcome = self.platform.tampered(event);
        self.backups.end();
        self.state.replace(State::new());
        self.sessions.close_retired();
        tracing::error!(sensor = event.sensor, ?outcome, "TAMPERED: every key is destroyed");
        outcome
    }

    /// A store that was changed behind the engine's back is not used any further.
    fn noting_damage<T>(&self, outcome: Result<T, ErrorCode>) -> Result<T, ErrorCode> {
        match &outcome {
            Err(error @ (ErrorCode::StoreCorrupt | ErrorCode::StoreRolledBack)) => {
                self.fail("store", *error);
            }
            Err(error @ ErrorCode::EntropyFailed) => {
                self.fail("random number source", *error);
            }
            _ => {}
        }
        outcome
    }

    pub(crate) fn flush_uses(&self) -> Result<(), ErrorCode> {
        self.flush_uses_now().inspect_err(|error| {
            tracing::error!(error = error.name(), "key uses could not be brought into the audit log");
        })
    }

    /// Uses that could not be written are counted again, so that none is lost from the log.
    fn flush_uses_now(&self) -> Result<(), ErrorCode> {
        if self.ended.load(Ordering::Acquire) {
            return Ok(());
        }
        let taken = core::mem::take(&mut *self.uses.write());
        let events = taken.events();
        if events.is_empty() {
            return Ok(());
        }
        let committed = self.commit(Request { events, ..Request::default() });
        if committed.is_err() {
            self.uses.write().restore(taken);
        }
        committed
    }

    fn desk(&self) -> Desk<'_, P> {
        Desk { platform: &self.platform, keys: &self.keys, state: &self.state }
    }

    fn greet(&self, frame: &Frame<'_>, reply: &mut Vec<u8>) {
        let hello: ClientHello = match command::decode_head(frame.head) {
            Ok(hello) => hello,
            Err(_) => return refuse(FrameKind::Fault, ErrorCode::FrameMalformed, frame.request, reply),
        };
        if hello.protocol != PROTOCOL {
            return refuse(FrameKind::Fault, ErrorCode::VersionUnsupported, frame.request, reply);
        }
        let answer = ServerHello {
            protocol: PROTOCOL,
            features: 0,
            max_frame: u32::try_from(self.platform.limits().max_frame).unwrap_or(u32::MAX),
            software: concat!("coloa-engine ", env!("CARGO_PKG_VERSION")).to_string(),
            body: self.platform.body(),
            lanes: self.platform.lanes(),
        };
        let mut head = Vec::new();
        command::encode_head(&answer, &mut head);
        Frame { head: &head, ..Frame::status(FrameKind::Hello, 0, frame.request) }.encode(reply);
    }

    fn answer(&self, peer: &Peer, frame: &Frame<'_>, reply: &mut Vec<u8>) {
        let mut call = Call::new(self, peer, frame);
        let mut head = Vec::new();
        let outcome = dispatch(&mut call, frame.code, frame.head, &mut head);
        let code = result_number(&outcome);
        if let Err(error) = outcome {
            tracing::debug!(peer = peer.name(), command = frame.code, error = error.name(), "refused");
            return refuse(FrameKind::Reply, error, frame.request, reply);
        }
        let bulk = call.into_out();
        let length = head.len().saturating_add(bulk.len()).saturating_add(MIN_HEADER);
        if length > self.platform.limits().max_frame {
            return refuse(FrameKind::Reply, ErrorCode::DataTooLong, frame.request, reply);
        }
        Frame { head: &head, bulk: &bulk, ..Frame::status(FrameKind::Reply, code, frame.request) }.encode(reply);
    }
}

fn refuse(kind: FrameKind, error: ErrorCode, request: u32, reply: &mut Vec<u8>) {
    Frame::status(kind, error.number(), request).encode(reply);
}
