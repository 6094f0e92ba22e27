//! One command, one reply of its type.

use crate::config::{Place, Target};
use crate::embedded::Embedded;
use crate::local::Local;
use crate::network::Network;
use crate::{CallError, Descriptor, Scratch, Ticket, Transport};
use coloa_wire::command::{decode_head, encode_head};
use coloa_wire::hello::ServerHello;
use coloa_wire::{Command, ErrorCode, Frame, FrameKind, RetryId, SessionId};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// What a frame has besides head and bulk, with room to spare.
const FRAME_OVERHEAD: usize = 64;

/// How often a command is given whose effect another caller's overtook.
const MAX_ATTEMPTS: u32 = 10;
const CONFLICT_PAUSE: Duration = Duration::from_millis(1);

/// A reply and its bulk.
pub type Answer<C> = (<C as Command>::Reply, Zeroizing<Vec<u8>>);

/// The way to one engine. Shared by all threads of a process; not by a forked child.
pub struct Client {
    transport: Box<dyn Transport>,
    place: String,
    within: Duration,
}

/// The terms of one call.
#[derive(Clone, Copy)]
pub struct Terms {
    /// The session it is given in.
    pub session: Option<SessionId>,
    /// See [`Client::retry_id`]; a command that changes state gets one of its own where there is none.
    pub retry: Option<RetryId>,
    /// When it has ended, however often it is sent.
    pub deadline: Instant,
}

impl Client {
    /// Prepares the way. A network target is connected to on the first call; files are read, and the embedded engine is
    /// opened, here.
    ///
    /// # Errors
    /// [`CallError::File`], [`CallError::Embedded`].
    pub fn open(target: &Target) -> Result<Self, CallError> {
        let transport: Box<dyn Transport> = match &target.place {
            Place::Network(network) => Box::new(Network::new(network)?),
            Place::Local(socket) => Box::new(Local::new(socket)),
            Place::Embedded(directory, mode) => Box::new(Embedded::open(directory, *mode)?),
        };
        Ok(Client { transport, place: target.place.to_string(), within: target.deadline })
    }

    /// Talks over a transport of the caller's making.
    pub fn over(transport: Box<dyn Transport>, place: String, within: Duration) -> Self {
        Client { transport, place, within }
    }

    /// When a call that begins now has ended, with all that comes of it.
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.within
    }

    /// The engine's greeting: what body it has and the longest frame it takes.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn hello(&self) -> Result<ServerHello, CallError> {
        self.hello_by(self.deadline())
    }

    /// The same, with a deadline of the caller's own.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn hello_by(&self, deadline: Instant) -> Result<ServerHello, CallError> {
        self.transport.hello(deadline)
    }

    /// The most bulk bytes one call may carry beside a head of `head` bytes.
    ///
    /// # Errors
    /// [`CallError`], when there is no connection to ask.
    pub fn max_bulk(&self, head: usize) -> Result<usize, CallError> {
        let frame = usize::try_from(self.hello()?.max_frame).unwrap_or(usize::MAX);
        Ok(frame.saturating_sub(FRAME_OVERHEAD).saturating_sub(head))
    }

    /// Where the engine is, for messages.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// What is held open (see [`Transport::descriptors`]).
    pub fn descriptors(&self) -> Vec<Descriptor> {
        self.transport.descriptors()
    }

    /// Sends a command and returns its reply and the reply's bulk. Everything the call used is wiped afterwards.
    ///
    /// A command that changes state gets a retry id of its own when `retry` is `None`. A call whose connection is lost is
    /// sent once more on a new one; the retry id makes that safe.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn call<C: Command>(
        &self,
        session: Option<SessionId>,
        retry: Option<RetryId>,
        command: &C,
        bulk: &[u8],
    ) -> Result<Answer<C>, CallError> {
        let mut scratch = Scratch::new();
        let terms = Terms { session, retry, deadline: self.deadline() };
        let reply = self.call_with(&mut scratch, terms, command, bulk)?;
        Ok((reply, Zeroizing::new(scratch.bulk().to_vec())))
    }

    /// A retry id for a command that changes state where a call can be lost, none for another: for callers that may have to
    /// send it again themselves.
    ///
    /// # Errors
    /// [`CallError::Engine`] with `EntropyFailed`.
    pub fn retry_id<C: Command>(&self) -> Result<Option<RetryId>, CallError> {
        (C::CODE.changes_state() && self.transport.loses_calls()).then(fresh_retry_id).transpose()
    }

    /// As [`Client::call`], in buffers that are kept for the next call; [`Scratch::bulk`] is the reply's bulk.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn call_with<C: Command>(
        &self,
        scratch: &mut Scratch,
        Terms { session, retry, deadline }: Terms,
        command: &C,
        bulk: &[u8],
    ) -> Result<C::Reply, CallError> {
        let retry = match retry {
            None => self.retry_id::<C>()?,
            given => given,
        };
        let Scratch { head, frame, reply, bulk: reply_bulk } = scratch;
        *reply_bulk = 0..0;
        encode((session, retry), command, bulk, (head, frame));
        let (decoded, bulk) = self.settle::<C>(frame, deadline, reply)?;
        *reply_bulk = reply.len().saturating_sub(bulk)..reply.len();
        Ok(decoded)
    }

    /// Begins a call and does not wait for its reply, so that one thread has many under way: see [`Ticket`].
    ///
    /// # Errors
    /// [`CallError`], when it cannot even be begun.
    pub fn begin<C: Command>(
        &self,
        (session, retry): (Option<SessionId>, Option<RetryId>),
        command: &C,
        bulk: &[u8],
    ) -> Result<Ticket<C>, CallError> {
        let retry = match retry {
            None => self.retry_id::<C>()?,
            given => given,
        };
        let (mut head, mut frame) = (Zeroizing::default(), Zeroizing::default());
        encode((session, retry), command, bulk, (&mut head, &mut frame));
        Ok(Ticket::new(self.transport.begin(frame, self.deadline())?))
    }

    /// The reply of a call and the reply's bulk, if it has come; waits only for room to send, when the way there is full.
    /// Once the outcome was given, the ticket is used up.
    ///
    /// # Errors
    /// [`CallError`]; a conflict with another caller's command is not repeated here, unlike with [`Client::call`].
    pub fn poll<C: Command>(&self, ticket: &mut Ticket<C>) -> Result<Option<Answer<C>>, CallError> {
        ticket.poll()?.map(|reply| self.open_reply::<C>(reply)).transpose()
    }

    /// Waits for the reply of a call.
    ///
    /// # Errors
    /// As [`Client::poll`].
    pub fn wait<C: Command>(&self, mut ticket: Ticket<C>) -> Result<Answer<C>, CallError> {
        self.open_reply::<C>(ticket.wait()?)
    }

    fn open_reply<C: Command>(&self, reply: Zeroizing<Vec<u8>>) -> Result<Answer<C>, CallError> {
        let (decoded, bulk) = self.decode::<C>(&reply)?;
        let start = reply.len().saturating_sub(bulk);
        Ok((decoded, Zeroizing::new(reply.get(start..).unwrap_or_default().to_vec())))
    }

    /// Asks until the engine answers something else than that another caller was faster: nothing was changed then.
    fn settle<C: Command>(
        &self,
        frame: &mut [u8],
        deadline: Instant,
        reply: &mut Vec<u8>,
    ) -> Result<(C::Reply, usize), CallError> {
        for attempt in 1.. {
            self.exchange(frame, deadline, reply)?;
            match self.decode::<C>(reply) {
                Err(CallError::Engine(ErrorCode::Conflict)) if attempt < MAX_ATTEMPTS && Instant::now() < deadline => {
                    std::thread::sleep(CONFLICT_PAUSE * attempt);
                }
                answer => return answer,
            }
        }
        Err(CallError::Engine(ErrorCode::Conflict))
    }

    fn exchange(&self, frame: &mut [u8], deadline: Instant, reply: &mut Vec<u8>) -> Result<(), CallError> {
        match self.transport.exchange(frame, deadline, reply) {
            Err(lost) if lost.is_lost() => {
                tracing::debug!(place = %self.place, reason = %lost, "connection lost; the call is sent once more");
                self.transport.exchange(frame, deadline, reply)
            }
            outcome => outcome,
        }
    }

    /// The reply, and how many bytes at its end are bulk.
    fn decode<C: Command>(&self, reply: &[u8]) -> Result<(C::Reply, usize), CallError> {
        let protocol = |code| CallError::Protocol(self.place.clone(), code);
        let frame = Frame::parse(reply).map_err(protocol)?;
        if frame.kind != FrameKind::Reply {
            return Err(protocol(ErrorCode::from_number(frame.code).unwrap_or(ErrorCode::FrameMalformed)));
        }
        match frame.code {
            0 => Ok((decode_head(frame.head).map_err(protocol)?, frame.bulk.len())),
            number => Err(ErrorCode::from_number(number).map_or(CallError::EngineNewer(number), CallError::Engine)),
        }
    }
}

/// The command's frame; its request number is written in when it is sent.
fn encode<C: Command>(
    (session, retry): (Option<SessionId>, Option<RetryId>),
    command: &C,
    bulk: &[u8],
    (head, frame): (&mut Vec<u8>, &mut Vec<u8>),
) {
    head.clear();
    encode_head(command, head);
    frame.clear();
    let (kind, code) = (FrameKind::Call, C::CODE as u16);
    Frame { kind, code, request: 0, session, retry, head, bulk }.encode(frame);
}

/// Random: two callers, or a caller and its forked child, never share one.
fn fresh_retry_id() -> Result<RetryId, CallError> {
    let mut id = [0; 16];
    aws_lc_rs::rand::fill(&mut id).map_err(|_| CallError::Engine(ErrorCode::EntropyFailed))?;
    Ok(RetryId(id))
}
