//! One channel: TLS 1.3 as a machine that takes bytes and gives bytes.
//!
//! ```text
//! network ─receive→ inbox ─records→ rustls ─→ plaintext ─→ caller
//! network ←output── outbox ←records─ rustls ←─ replies ←send── caller
//! ```
//!
//! The caller turns the crank: [`Server::turn`] does one step, at most one handshake flight or one record, so that a
//! single-threaded board can serve its network between the expensive ones.
//!
//! Invariants, against a peer that sends whatever it likes:
//! - memory is bounded: `inbox` by one largest record, `plaintext` by one record, `outbox` by [`OUTBOX_FULL`] plus one
//!   flight, `replies` by what the caller gives;
//! - rustls sees whole records only, one more at a time, and a nonsense header is refused before its body is awaited;
//! - after a [`Fault`] nothing is read any more; the alert that names it is in the outbox.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use rustls::ServerConfig;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use zeroize::Zeroize;

/// Header of a record (RFC 8446 §5.1).
const HEADER: usize = 5;
/// Body of the largest record: 2^14 and 256 of padding and tag (RFC 8446 §5.2).
const LARGEST_BODY: usize = (1 << 14) + 256;
/// The largest record: what `inbox` holds at most.
const INBOX: usize = HEADER + LARGEST_BODY;
/// Above this no more work is taken on until the caller has sent something.
pub const OUTBOX_FULL: usize = 8192;
/// Plaintext sealed into one record.
const REPLY_CHUNK: usize = 4096;
/// A seal adds header, content type and tag.
const SEAL_OVERHEAD: usize = HEADER + 1 + 16;

/// What one turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Something was done; turn again.
    Again,
    /// Nothing to do before more bytes arrive, leave, or plaintext is taken.
    Idle,
    /// Both sides said goodbye, or a fault was recorded: send the rest of the outbox and close.
    Finished,
}

/// Why a channel ended early. The peer is at fault in each but `Ours`.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// What arrived is no TLS record.
    NotTls,
    /// A handshake message larger than a board accepts.
    TooLong,
    /// TLS refused: wrong version, no or foreign certificate, broken record.
    Refused(rustls::Error),
    /// The board could not seal its own reply.
    Ours,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTls => f.write_str("the peer does not speak TLS"),
            Self::TooLong => f.write_str("the peer's handshake message is longer than a board accepts"),
            Self::Refused(why) => write!(f, "TLS refused the peer: {why}"),
            Self::Ours => f.write_str("the board could not seal its reply"),
        }
    }
}

/// The server's end of one channel.
pub struct Server {
    tls: UnbufferedServerConnection,
    inbox: Vec<u8>,
    /// How much of `inbox` rustls has seen: whole records, and never fewer than before.
    shown: usize,
    plaintext: Vec<u8>,
    replies: Vec<u8>,
    outbox: Vec<u8>,
    closing: bool,
    goodbye_sent: bool,
    finished: bool,
    fault: Option<Fault>,
}

/// What rustls wants after a step, freed from the borrow of the connection.
enum Step {
    Again,
    Blocked,
    PeerClosed,
    Closed,
    Failed(Fault),
}

impl Server {
    /// A channel that awaits its ClientHello.
    pub fn new(config: Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        Ok(Self {
            tls: UnbufferedServerConnection::new(config)?,
            inbox: Vec::new(),
            shown: 0,
            plaintext: Vec::new(),
            replies: Vec::new(),
            outbox: Vec::new(),
            closing: false,
            goodbye_sent: false,
            finished: false,
            fault: None,
        })
    }

    /// Takes bytes from the network, at most [`Self::room`]; returns how many.
    pub fn receive(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.room());
        self.inbox.extend(bytes.iter().take(taken));
        taken
    }

    /// How many bytes [`Self::receive`] would take now.
    pub fn room(&self) -> usize {
        if self.finished { 0 } else { INBOX.saturating_sub(self.inbox.len()) }
    }

    /// One step. Call until it is not [`Turn::Again`].
    pub fn turn(&mut self) -> Turn {
        if self.finished {
            return Turn::Finished;
        }
        if self.outbox.len() >= OUTBOX_FULL {
            return Turn::Idle;
        }
        match self.step() {
            Step::Again => Turn::Again,
            // After our goodbye nobody listens here any more.
            Step::Blocked if self.goodbye_sent => self.finish(None),
            // The next record only when this one's text was taken.
            Step::Blocked if !self.plaintext.is_empty() => Turn::Idle,
            Step::Blocked => self.show_next_record(),
            Step::PeerClosed => {
                self.closing = true;
                Turn::Again
            }
            Step::Closed => self.finish(None),
            Step::Failed(fault) => self.finish(Some(fault)),
        }
    }

    /// Bytes for the network. Tell [`Self::sent`] how many of them went.
    pub fn output(&self) -> &[u8] {
        &self.outbox
    }

    /// Forgets the first `count` bytes of the output.
    pub fn sent(&mut self, count: usize) {
        self.outbox.drain(..count.min(self.outbox.len()));
    }

    /// What the peer said, decrypted. Tell [`Self::taken`] how much was understood.
    pub fn plaintext(&self) -> &[u8] {
        &self.plaintext
    }

    /// Forgets the first `count` bytes of the plaintext.
    pub fn taken(&mut self, count: usize) {
        let count = count.min(self.plaintext.len());
        self.plaintext.drain(..count);
        if self.plaintext.is_empty() {
            // PINs pass through here.
            self.plaintext.zeroize();
        }
    }

    /// Queues plaintext for the peer; the following turns seal it.
    pub fn send(&mut self, plaintext: &[u8]) {
        self.replies.extend_from_slice(plaintext);
    }

    /// True while queued plaintext still waits to be sealed.
    pub fn has_unsealed(&self) -> bool {
        !self.replies.is_empty()
    }

    /// Says goodbye once everything queued is sealed; then the channel is finished.
    pub fn close(&mut self) {
        self.closing = true;
    }

    /// True from the moment the peer's certificate was verified.
    pub fn is_established(&self) -> bool {
        !self.tls.is_handshaking()
    }

    /// The client's certificate, DER; only once verified.
    pub fn client_certificate(&self) -> Option<&[u8]> {
        if !self.is_established() {
            return None;
        }
        self.tls.peer_certificates()?.first().map(|der| der.as_ref())
    }

    /// Why the channel ended, if it ended badly.
    pub fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    fn step(&mut self) -> Step {
        let Some(records) = self.inbox.get_mut(..self.shown) else {
            return Step::Failed(Fault::Ours);
        };
        let UnbufferedStatus { mut discard, state } = self.tls.process_tls_records(records);
        let step = match state {
            Ok(ConnectionState::ReadTraffic(mut traffic)) => loop {
                match traffic.next_record() {
                    Some(Ok(record)) => {
                        discard = discard.saturating_add(record.discard);
                        self.plaintext.extend_from_slice(record.payload);
                    }
                    Some(Err(why)) => break Step::Failed(Fault::Refused(why)),
                    None => break Step::Again,
                }
            },
            Ok(ConnectionState::EncodeTlsData(mut data)) => append(&mut self.outbox, |room| encoded(data.encode(room))),
            Ok(ConnectionState::TransmitTlsData(transmit)) => {
                transmit.done();
                Step::Again
            }
            Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                if let Some(chunk) = self.replies.chunks(REPLY_CHUNK).next() {
                    let length = chunk.len();
                    let step = append(&mut self.outbox, |room| sealed(traffic.encrypt(chunk, room)));
                    self.replies.drain(..length);
                    step
                } else if self.closing && !self.goodbye_sent {
                    self.goodbye_sent = true;
                    append(&mut self.outbox, |room| sealed(traffic.queue_close_notify(room)))
                } else {
                    Step::Blocked
                }
            }
            Ok(ConnectionState::BlockedHandshake) => Step::Blocked,
            Ok(ConnectionState::PeerClosed) => Step::PeerClosed,
            Ok(ConnectionState::Closed) => Step::Closed,
            // Early data is off (`max_early_data_size` 0) and the enum may grow: refuse what was not foreseen.
            Ok(_) => Step::Failed(Fault::Ours),
            Err(why) => Step::Failed(Fault::Refused(why)),
        };
        self.discard(discard);
        step
    }

    fn discard(&mut self, count: usize) {
        self.inbox.drain(..count.min(self.inbox.len()));
        self.shown = self.shown.saturating_sub(count);
    }

    /// Lets rustls see one whole record more, if there is one.
    fn show_next_record(&mut self) -> Turn {
        let unseen = self.inbox.get(self.shown..).unwrap_or_default();
        match record_length(unseen) {
            Err(fault) => self.finish(Some(fault)),
            Ok(Some(length)) if length <= unseen.len() => {
                self.shown = self.shown.saturating_add(length);
                Turn::Again
            }
            Ok(_) if self.inbox.len() >= INBOX => self.finish(Some(Fault::TooLong)),
            Ok(_) => Turn::Idle,
        }
    }

    fn finish(&mut self, fault: Option<Fault>) -> Turn {
        if fault.is_some() {
            self.last_words();
        }
        self.finished = true;
        self.fault = fault;
        self.inbox = Vec::new();
        self.shown = 0;
        Turn::Finished
    }

    /// After an error rustls keeps an alert for the peer; fetch it. Only while something is queued: otherwise rustls would
    /// look at the offending record once more.
    fn last_words(&mut self) {
        while self.tls.wants_write() {
            let records = self.inbox.get_mut(..self.shown).unwrap_or_default();
            let UnbufferedStatus { discard, state } = self.tls.process_tls_records(records);
            match state {
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    append(&mut self.outbox, |room| encoded(data.encode(room)));
                }
                Ok(ConnectionState::ReadTraffic(mut traffic)) => while traffic.next_record().is_some() {},
                _ => return,
            }
            self.discard(discard);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.plaintext.zeroize();
        self.replies.zeroize();
    }
}

/// The first record's whole length, as far as it can be known, or why it cannot be a record.
fn record_length(bytes: &[u8]) -> Result<Option<usize>, Fault> {
    // change_cipher_spec, alert, handshake, application_data (RFC 8446 §5.1)
    if bytes.first().is_some_and(|kind| !(20..=23).contains(kind)) || bytes.get(1).is_some_and(|major| *major != 3) {
        return Err(Fault::NotTls);
    }
    let (Some(high), Some(low)) = (bytes.get(3), bytes.get(4)) else {
        return Ok(None);
    };
    let body = usize::from(u16::from_be_bytes([*high, *low]));
    if body > LARGEST_BODY {
        return Err(Fault::NotTls);
    }
    Ok(Some(HEADER.saturating_add(body)))
}

fn encoded(result: Result<usize, EncodeError>) -> Result<usize, Option<usize>> {
    result.map_err(|why| match why {
        EncodeError::InsufficientSize(size) => Some(size.required_size),
        EncodeError::AlreadyEncoded => None,
    })
}

fn sealed(result: Result<usize, EncryptError>) -> Result<usize, Option<usize>> {
    result.map_err(|why| match why {
        EncryptError::InsufficientSize(size) => Some(size.required_size),
        EncryptError::EncryptExhausted => None,
    })
}

/// Lets `write` fill room at the end of `outbox`, making more when it names a size.
fn append(outbox: &mut Vec<u8>, mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>) -> Step {
    let start = outbox.len();
    let mut room = SEAL_OVERHEAD;
    for _ in 0..2 {
        outbox.resize(start.saturating_add(room), 0);
        match write(outbox.get_mut(start..).unwrap_or_default()) {
            Ok(written) => {
                outbox.truncate(start.saturating_add(written));
                return Step::Again;
            }
            Err(Some(required)) => room = required,
            Err(None) => break,
        }
    }
    outbox.truncate(start);
    Step::Failed(Fault::Ours)
}
