//! A channel's thread once it is open: reads, decrypts, answers, and sends the answers.

use super::{Channel, End, Pending};
use crate::rate::Account;
use crate::spin::Spin;
use crate::tls;
use crate::workers::Workers;
use coloa_engine::{Conversation, Pace, Peer};
use coloa_wire::frame::FrameKind;
use coloa_wire::{ErrorCode, Frame};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use zeroize::{Zeroize, Zeroizing};

/// One read takes this much: a few TLS records.
const READ_BYTES: usize = 64 * 1024;
/// Answers are sent when they have this size, though more frames wait.
const SEND_BYTES: usize = 256 * 1024;
/// Commands of one channel that workers have at most; commits beyond that are answered by the channel's own thread.
const MAX_PENDING: usize = 64;
/// How long the channel's thread waits for one of them to be answered before it looks again.
const FULL: Duration = Duration::from_millis(2);
/// Who waits for its rate's sake sees within that time that the service stops.
const NAP: Duration = Duration::from_millis(100);
/// For so many rounds a channel counts as crowded after frames were seen beside each other.
const CROWD: u8 = 16;

/// The channel's thread: what it alone needs.
pub(super) struct Stream<'a> {
    channel: &'a Arc<Channel>,
    peer: Arc<Peer>,
    account: Arc<Account>,
    conversation: Conversation,
    /// Plaintext that is not answered yet.
    incoming: Zeroizing<Vec<u8>>,
    /// Answers that are not sent yet.
    out: Zeroizing<Vec<u8>>,
    crowd: u8,
    spin: Spin,
    /// Until the hello has come.
    hello_by: Option<Instant>,
    /// Until the frame has come whole that has begun to arrive.
    frame_by: Option<Instant>,
}

impl<'a> Stream<'a> {
    pub(super) fn new(
        channel: &'a Arc<Channel>,
        (peer, account): (Arc<Peer>, Arc<Account>),
        hello_by: Instant,
    ) -> Self {
        Stream {
            channel,
            peer,
            account,
            conversation: Conversation::default(),
            incoming: Zeroizing::default(),
            out: Zeroizing::default(),
            crowd: 0,
            spin: Spin::default(),
            hello_by: Some(hello_by),
            frame_by: None,
        }
    }

    pub(super) fn run(mut self) -> End {
        match self.converse() {
            Err(End::Fault(error)) => {
                Frame::status(FrameKind::Fault, error.number(), 0).encode(&mut self.out);
                let _ = self.channel.send(&self.out);
                End::Fault(error)
            }
            Err(end) => end,
            Ok(never) => match never {},
        }
    }

    fn converse(&mut self) -> Result<std::convert::Infallible, End> {
        let mut buffer = Zeroizing::new(vec![0; READ_BYTES]);
        // What came together with the end of the handshake.
        self.take_in(&[])?;
        loop {
            let arrived = self.read(&mut buffer)?;
            match buffer.get(..arrived) {
                None | Some([]) => return Err(End::Closed),
                Some(bytes) => self.take_in(bytes)?,
            }
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, End> {
        let half = self.hello_by.or(self.frame_by);
        // A time that no clock reaches is no limit.
        let idle = self.channel.service.limits().idle().and_then(|idle| Instant::now().checked_add(idle));
        let (since, channel) = (Instant::now(), self.channel);
        let crowd = channel.service.crowd();
        let arrived = match (self.spin.until(crowd, || channel.look(buffer)), half.or(idle)) {
            (Some(arrived), _) => arrived?,
            (None, None) => channel.sleep(buffer)?,
            (None, deadline) => channel.receive(buffer, deadline).map_err(|end| match end {
                End::Stalled if half.is_none() => End::Idle,
                end => end,
            })?,
        };
        self.spin.note(since.elapsed());
        self.spin.begin_round(crowd);
        Ok(arrived)
    }

    /// Decrypts all that has come, then answers it: calls that came together are answered together.
    fn take_in(&mut self, bytes: &[u8]) -> Result<(), End> {
        let has_closed = self.decrypt(bytes)?;
        self.answer_all()?;
        if has_closed { Err(End::Closed) } else { Ok(()) }
    }

    fn decrypt(&mut self, mut bytes: &[u8]) -> Result<bool, End> {
        let mut tls = self.channel.tls.lock();
        loop {
            if !bytes.is_empty() {
                tls.read_tls(&mut bytes)?;
            }
            let state = match tls.process_new_packets() {
                Ok(state) => state,
                Err(error) => {
                    let _ = self.channel.flush(&mut tls);
                    return Err(End::Tls(error));
                }
            };
            let whole = self.incoming.len();
            self.incoming.resize(whole.saturating_add(state.plaintext_bytes_to_read()), 0);
            tls.reader().read_exact(self.incoming.get_mut(whole..).unwrap_or_default())?;
            if state.peer_has_closed() || bytes.is_empty() {
                return Ok(state.peer_has_closed());
            }
        }
    }

    fn answer_all(&mut self) -> Result<(), End> {
        let incoming = std::mem::take(&mut self.incoming);
        let _at_work = self.channel.service.crowd().go_to_work();
        let outcome = self.answer_from(incoming);
        if !self.out.is_empty() && outcome.is_ok() {
            self.send()?;
        }
        outcome
    }

    fn answer_from(&mut self, mut incoming: Zeroizing<Vec<u8>>) -> Result<(), End> {
        let max = self.channel.service.max_frame();
        let mut start = 0;
        self.crowd = self.crowd.saturating_sub(1);
        loop {
            let rest = incoming.get_mut(start..).unwrap_or_default();
            let Some(length) = self.conversation.frame_length(rest, max).map_err(End::Fault)? else { break };
            let has_more = rest.len() > length;
            let Some(frame) = rest.get_mut(..length) else { break };
            self.conversation.admit(frame).map_err(End::Fault)?;
            self.hello_by = None;
            if start > 0 || has_more || self.channel.pending.load(Ordering::Relaxed) > 0 {
                self.crowd = CROWD;
            }
            self.answer(frame)?;
            start = start.saturating_add(length);
        }
        incoming.drain(..start);
        // From a frame's first byte on: more bytes of it win no more time.
        let before = self.frame_by.filter(|_| start == 0);
        let fresh = || Instant::now() + self.channel.service.limits().frame();
        self.frame_by = (!incoming.is_empty()).then(|| before.unwrap_or_else(fresh));
        self.incoming = incoming;
        Ok(())
    }

    fn answer(&mut self, frame: &mut [u8]) -> Result<(), End> {
        self.keep_pace();
        let service = &self.channel.service;
        let (engine, pools) = (service.engine(), service.pools());
        match engine.pace(&self.peer, frame) {
            Pace::Login => self.hand_over_in_turn(&pools.logins, frame),
            Pace::Slow => self.hand_over_in_turn(&pools.computes, frame),
            Pace::Commits if self.crowd > 0 && self.has_place() => self.hand_over(&pools.commits, frame),
            // With all cores at work, long computations take turns by caller: all of them, or those that wait for their
            // turn would wait for those that do not.
            Pace::Quick if self.is_contended() && coloa_engine::computes_long(frame) => {
                self.hand_over_in_turn(&pools.computes, frame)
            }
            Pace::Commits | Pace::Quick => self.answer_here(frame),
        }
    }

    /// Waits as long as the certificate's rate asks (R22).
    fn keep_pace(&self) {
        let service = &self.channel.service;
        let mut wait = service.accounts().charge(&self.account, &service.limits());
        if !wait.is_zero() {
            service.metrics().delayed();
        }
        while !wait.is_zero() && !service.is_stopping() {
            let nap = wait.min(NAP);
            std::thread::sleep(nap);
            wait -= nap;
        }
    }

    fn is_contended(&self) -> bool {
        let service = &self.channel.service;
        service.crowd().is_busy() || service.pools().computes.is_in_use()
    }

    fn has_place(&self) -> bool {
        self.channel.pending.load(Ordering::Relaxed) < MAX_PENDING
    }

    /// For what must not run on this thread, however much there is of it: reads on when there is a place.
    fn hand_over_in_turn(&mut self, workers: &Arc<Workers>, frame: &mut [u8]) -> Result<(), End> {
        while !self.has_place() {
            std::thread::sleep(FULL);
        }
        self.hand_over(workers, frame)?;
        // There may have been a PIN in it.
        frame.zeroize();
        Ok(())
    }

    fn answer_here(&mut self, frame: &[u8]) -> Result<(), End> {
        let start = self.out.len();
        self.channel.service.answer(&self.peer, frame, &mut self.out);
        if let Some(error) = fault_in(self.out.get(start..).unwrap_or_default()) {
            self.out.truncate(start);
            return Err(End::Fault(error));
        }
        if self.out.len() >= SEND_BYTES { self.send() } else { Ok(()) }
    }

    fn hand_over(&mut self, workers: &Arc<Workers>, frame: &[u8]) -> Result<(), End> {
        let turn = Pending::new(self.channel.clone());
        let (peer, own) = (self.peer.clone(), Zeroizing::new(frame.to_vec()));
        match workers.take(tls::identity_of(&self.peer), Box::new(move || turn.work(&peer, &own))) {
            Ok(()) => Ok(()),
            Err(_) => self.answer_here(frame),
        }
    }

    fn send(&mut self) -> Result<(), End> {
        let sent = self.channel.send(&self.out);
        self.out.clear();
        Ok(sent?)
    }
}

/// The error of a fault frame.
fn fault_in(frame: &[u8]) -> Option<ErrorCode> {
    if frame.get(4) != Some(&(FrameKind::Fault as u8)) {
        return None;
    }
    Frame::parse(frame).ok().and_then(|f| ErrorCode::from_number(f.code)).or(Some(ErrorCode::Internal))
}
