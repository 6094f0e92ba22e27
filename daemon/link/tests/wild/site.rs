//! One site: both halves of its link, the path to the peer, and what a daemon does with them.

use super::{CANARY, Chance, Seen, Wire, limits};
use crate::packets::{internet_checksum, transport_checksum, udp};
use coloa_link::handover::{decode, encode};
use coloa_link::path::{Action, Kind, Path, Settings};
use coloa_link::{DropReason, Event, Inner, KeyMaterial, Link, Opened};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

/// Datagrams on their way out.
type Sent = Vec<(SocketAddr, Vec<u8>)>;

pub struct Site {
    /// Its own address now.
    pub at: SocketAddr,
    /// How far its clock is ahead.
    pub clock: Duration,
    pub link: Wire,
    pub path: Path,
    /// The newest epoch that it ever took part in, as far as it remembers.
    pub newest: u64,
    pub delivered: HashSet<Vec<u8>>,
    /// Where a response came from, or the control channel.
    pub proved: HashSet<SocketAddr>,
}

impl Site {
    pub fn new(at: SocketAddr) -> Self {
        Self {
            at,
            clock: Duration::ZERO,
            link: Link::blocked(limits()),
            path: Path::new(settings(at)),
            newest: 0,
            delivered: HashSet::new(),
            proved: HashSet::new(),
        }
    }

    /// What the red side has got does not vanish with the daemon.
    pub fn take_delivered(&mut self) -> HashSet<Vec<u8>> {
        std::mem::take(&mut self.delivered)
    }

    /// Another process goes on with its SAs; what stays behind seals and opens nothing.
    pub fn give_way_to_a_successor(&mut self, now: Duration) {
        let (time, (outbound, inbound)) = (self.time(now), self.link.hand_over());
        let (outbound, inbound, path) = (encode(&outbound), encode(&inbound), encode(&self.path.hand_over()));
        assert!(self.link.outbound().seal().is_err() && self.link.inbound().spis().next().is_none());
        let halves = (decode(&outbound).expect("its own"), decode(&inbound).expect("its own"));
        self.link = Link::take_over(halves, limits()).expect("it was in use");
        self.path = Path::take_over(settings(self.at), &decode(&path).expect("its own"), time);
    }

    pub fn time(&self, now: Duration) -> Duration {
        now + self.clock
    }

    pub fn install(&mut self, now: Duration, keys: KeyMaterial, peer: SocketAddr) {
        let now = self.time(now);
        self.path.hint(now, peer);
        self.proved.insert(peer);
        // An epoch that was overtaken by a newer one is refused, as the data plane does.
        let _ = self.link.install(now, keys);
    }

    /// A red packet that exists once.
    pub fn send(&mut self, now: Duration, index: usize, number: u64, size: usize) -> Sent {
        let ends = [["10.1.0.1", "10.2.0.1"], ["10.2.0.1", "10.1.0.1"]][index].map(|end| end.parse().unwrap());
        let mut payload = [CANARY, &number.to_be_bytes()].concat();
        payload.resize(size, index as u8);
        let (packet, mut out) = (udp(ends[0], ends[1], (1, 2), &payload), [0; 512]);
        let now = self.time(now);
        match (self.path.address(), self.link.seal(&packet, &mut out)) {
            (Some(to), Ok(len)) => {
                self.path.sent(now);
                vec![(to, out[..len].to_vec())]
            }
            _ => Vec::new(),
        }
    }

    pub fn receive(
        &mut self,
        now: Duration,
        from: SocketAddr,
        mut octets: Vec<u8>,
        chance: &mut Chance,
        seen: &mut Seen,
    ) -> Sent {
        let (time, len) = (self.time(now), octets.len());
        match self.link.receive(&mut octets) {
            Err(DropReason::Replayed) => seen.replays += 1,
            Err(_) => seen.forgeries += 1,
            Ok(Opened { inner, advanced }) => {
                self.path.heard(time);
                if advanced && self.path.address() != Some(from) {
                    self.path.strange(time, from, len);
                }
                match inner {
                    Inner::Packet(packet) => {
                        let payload = packet.get(28..).expect("what the peer sends is UDP");
                        assert!(payload.starts_with(CANARY) && is_whole(packet), "altered on the way");
                        assert!(self.delivered.insert(packet.to_vec()), "a replay was accepted");
                        seen.delivered += 1;
                    }
                    Inner::Message(message) => {
                        if message.kind == Kind::Response {
                            self.proved.insert(from);
                        }
                        self.path.message(time, from, &message);
                    }
                    Inner::Measure(_) | Inner::Dummy => {}
                }
            }
        }
        self.follow_path(now, chance, seen)
    }

    /// Returns whether a new epoch is wanted.
    pub fn poll(&mut self, now: Duration) -> bool {
        let now = self.time(now);
        let mut wants = false;
        while let Some(event) = self.link.poll(now) {
            wants |= matches!(event, Event::RekeyWanted(_) | Event::Blocked(_));
        }
        wants
    }

    pub fn follow_path(&mut self, now: Duration, chance: &mut Chance, seen: &mut Seen) -> Sent {
        let (now, mut sent) = (self.time(now), Vec::new());
        if self.link.outbound().seal().is_err() {
            return sent;
        }
        while let Some(action) = self.path.poll(now, || std::array::from_fn(|_| chance.below(256) as u8)) {
            match action {
                Action::Send { to, message, datagram } => {
                    let mut out = [0; 2048];
                    let sealed = self.link.outbound().seal().and_then(|s| s.seal_message(&message, datagram, &mut out));
                    sent.extend(sealed.map(|len| (to, out[..len].to_vec())));
                }
                Action::Keepalive(to) => sent.push((to, vec![0xff])),
                Action::Moved(_) => seen.moves += 1,
                Action::Mtu(_) => seen.resized += 1,
                Action::Silent => seen.silences += 1,
                Action::Heard => {}
            }
        }
        sent
    }
}

fn settings(at: SocketAddr) -> Settings {
    Settings { path_mtu: 1500, inner_mtu: 1438, local: at, behind_nat: false }
}

/// The checksums that the sender made: nothing was changed on the way.
fn is_whole(packet: &[u8]) -> bool {
    let (source, destination) = match packet[12..20] {
        [a, b, c, d, e, f, g, h] => ([a, b, c, d].into(), [e, f, g, h].into()),
        _ => unreachable!("eight octets"),
    };
    internet_checksum(&packet[..20]) == 0 && transport_checksum(source, destination, 17, &packet[20..]) == 0
}
