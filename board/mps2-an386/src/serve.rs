//! Channels: each TCP connection gets a channel, each channel its turns.
//!
//! One thread does it all, so nothing here takes long: one record, one handshake step or one command, then the network again.

use alloc::boxed::Box;
use alloc::sync::Arc;

use coloa_bringup::Channel;
use coloa_engine::{Engine, Peer};
use coloa_tls_portable::Turn;
use rustls::ServerConfig;
use smoltcp::socket::tcp::{Socket, State};

use crate::body::Mps2;
use crate::clock::milliseconds;
use crate::heap;
use crate::log;
use crate::network::{Network, SOCKETS};

/// Channels served at once; further connections wait on a spare socket.
const CHANNELS: usize = 6;
/// From TCP's connection to the verified certificate, and how long a connection waits for a free channel.
const HANDSHAKE_MS: u64 = 10_000;
/// Sockets that must be free for new connections; else the oldest that was not served yet is cut off (R34).
const LISTENING: usize = 2;
/// From our goodbye to the end of the connection, whether the peer heard it or not.
const GOODBYE_MS: u64 = 2_000;

/// What a socket is used for.
enum Use {
    Listening,
    Waiting { since: u64 },
    Serving(Box<Service>),
    Closing { since: u64 },
}

struct Service {
    channel: Channel,
    since: u64,
}

/// What came of one step.
enum Progress {
    /// There may be more to do at once.
    Busy,
    Idle,
    /// A client's channel is gone.
    Left(Peer),
}

/// The board at work.
struct Office {
    uses: [Use; SOCKETS],
    network: Network,
    config: Arc<ServerConfig>,
    engine: Engine<Mps2>,
}

/// Serves for ever.
pub fn serve(network: Network, config: Arc<ServerConfig>, engine: Engine<Mps2>) -> ! {
    let mut office = Office { uses: core::array::from_fn(|_| Use::Listening), network, config, engine };
    loop {
        let busy = office.round();
        office.engine.tick();
        if !busy {
            office.network.poll();
            office.network.wait();
        }
    }
}

impl Office {
    /// One step of every socket, the network polled between them; true when there may be more to do at once.
    fn round(&mut self) -> bool {
        let mut busy = false;
        for index in 0..SOCKETS {
            self.network.poll();
            self.keep_listening();
            match self.advance(index) {
                Progress::Busy => busy = true,
                Progress::Idle => {}
                Progress::Left(peer) => {
                    busy = true;
                    self.forget(&peer);
                }
            }
        }
        busy
    }

    fn advance(&mut self, index: usize) -> Progress {
        let free = self.uses.iter().filter(|used| matches!(used, Use::Serving(_))).count() < CHANNELS;
        let port = self.network.port();
        let socket = self.network.socket(index);
        let used = &mut self.uses[index];
        match used {
            Use::Listening => match socket.state() {
                State::Listen | State::SynReceived => return Progress::Idle,
                State::Closed => {
                    // It fails on port 0 and on an open socket; this is neither.
                    let _ = socket.listen(port);
                }
                _ => *used = Use::Waiting { since: milliseconds() },
            },
            // A channel costs memory: it is for those who have begun to speak.
            Use::Waiting { since } if free && socket.can_recv() => match Channel::new(self.config.clone()) {
                Ok(channel) => *used = Use::Serving(Box::new(Service { channel, since: *since })),
                Err(_) => *used = abort(socket),
            },
            Use::Waiting { since } if !socket.may_recv() || expired(*since, HANDSHAKE_MS) => *used = abort(socket),
            Use::Waiting { .. } => return Progress::Idle,
            Use::Serving(service) => {
                let (next, peer) = match service.step(socket, &self.engine) {
                    Step::Busy => return Progress::Busy,
                    Step::Idle => return Progress::Idle,
                    Step::Done => (goodbye(socket), service.channel.peer().cloned()),
                    Step::Dead => (abort(socket), service.channel.peer().cloned()),
                };
                if let Some(fault) = service.channel.fault() {
                    log!("channel refused: {fault}");
                }
                *used = next;
                log!("channel closed; heap {} bytes free", heap::usage().1);
                return peer.map_or(Progress::Busy, Progress::Left);
            }
            Use::Closing { since } => {
                // What still comes is of no interest, but a full window would keep the peer from closing.
                let _ = socket.recv(|bytes| (bytes.len(), ()));
                let closed = matches!(socket.state(), State::Closed | State::TimeWait);
                if !closed && !expired(*since, GOODBYE_MS) {
                    return Progress::Idle;
                }
                *used = abort(socket);
            }
        }
        Progress::Busy
    }

    /// Ends the client's sessions when this was its last channel.
    fn forget(&self, peer: &Peer) {
        let other = |used: &Use| matches!(used, Use::Serving(service) if service.channel.peer() == Some(peer));
        if !self.uses.iter().any(other) {
            self.engine.forget(peer);
        }
    }

    /// Frees the sockets of those who have been connected longest without being served.
    fn keep_listening(&mut self) {
        while self.uses.iter().filter(|used| matches!(used, Use::Listening)).count() < LISTENING {
            let waiting = self.uses.iter_mut().enumerate().filter_map(|(index, used)| match used {
                Use::Waiting { since } => Some((*since, index, used)),
                _ => None,
            });
            let Some((_, index, used)) = waiting.min_by_key(|(since, index, _)| (*since, *index)) else { return };
            *used = abort(self.network.socket(index));
        }
    }
}

fn goodbye(socket: &mut Socket<'_>) -> Use {
    socket.close();
    Use::Closing { since: milliseconds() }
}

fn abort(socket: &mut Socket<'_>) -> Use {
    socket.abort();
    Use::Listening
}

fn expired(since: u64, limit: u64) -> bool {
    milliseconds().saturating_sub(since) > limit
}

enum Step {
    Busy,
    Idle,
    /// Everything is said: close the connection.
    Done,
    /// The peer is gone or too slow.
    Dead,
}

impl Service {
    fn step(&mut self, socket: &mut Socket<'_>, engine: &Engine<Mps2>) -> Step {
        let moved = self.flush(socket) | self.fill(socket);
        if !self.channel.is_established() && expired(self.since, HANDSHAKE_MS) {
            return Step::Dead;
        }
        match self.channel.turn(engine) {
            Turn::Again => Step::Busy,
            Turn::Finished if self.channel.output().is_empty() || !socket.may_send() => Step::Done,
            Turn::Idle if !socket.may_recv() && !socket.can_recv() && !moved => Step::Done,
            Turn::Idle | Turn::Finished if moved => Step::Busy,
            Turn::Idle | Turn::Finished => Step::Idle,
        }
    }

    fn flush(&mut self, socket: &mut Socket<'_>) -> bool {
        let sent = socket.send_slice(self.channel.output()).unwrap_or(0);
        self.channel.sent(sent);
        sent != 0
    }

    fn fill(&mut self, socket: &mut Socket<'_>) -> bool {
        let taken = socket.recv(|bytes| {
            let taken = self.channel.receive(bytes);
            (taken, taken)
        });
        taken.unwrap_or(0) != 0
    }
}
