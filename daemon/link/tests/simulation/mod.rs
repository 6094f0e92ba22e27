//! Two links, a network and an attacker, in virtual time.

use crate::packets::udp;
use crate::provider::AwsLc;
use coloa_link::keys::{EXPORT_LEN, KeyMaterial};
use coloa_link::{DropReason, Epoch, Event, Limits, Link, Role};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    Alice,
    Bob,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Alice => Self::Bob,
            Self::Bob => Self::Alice,
        }
    }
}

pub fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// What the network does to a datagram, in percent and milliseconds.
#[derive(Clone, Copy)]
pub struct Network {
    pub loss: u64,
    pub duplication: u64,
    pub jitter_ms: u64,
    pub eve: bool,
}

/// xorshift64*: chance that repeats.
pub struct Chance(u64);

impl Chance {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % bound.max(1)
    }

    fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// What both ends export from the handshake of an epoch.
pub fn keys_of(epoch: u64, side: Side) -> KeyMaterial {
    let mut chance = Chance(epoch.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let export: [u8; EXPORT_LEN] = std::array::from_fn(|_| chance.below(256) as u8);
    let role = if side == Side::Alice { Role::Client } else { Role::Server };
    KeyMaterial::from_exporter(&export, role, Epoch(epoch), 0)
}

/// What waits for its time.
enum Due {
    Datagram(Side, Vec<u8>),
    Install(Side, u64),
    PeerReady(Side, u64),
}

pub struct World {
    now: Duration,
    network: Network,
    chance: Chance,
    links: [Link<AwsLc>; 2],
    due: BTreeMap<(Duration, u64), Due>,
    order: u64,
    sent: BTreeSet<(Side, Vec<u8>)>,
    delivered: BTreeSet<(Side, Vec<u8>)>,
    pub epoch: u64,
    pub rekeys_allowed: bool,
    pub recorded: Vec<(Side, Vec<u8>)>,
    pub refused: Vec<DropReason>,
    pub events: Vec<(Side, Event)>,
}

impl World {
    pub fn new(network: Network, limits: Limits, seed: u64) -> Self {
        Self {
            now: ms(0),
            network,
            chance: Chance(seed),
            links: [Link::blocked(limits), Link::blocked(limits)],
            due: BTreeMap::new(),
            order: 0,
            sent: BTreeSet::new(),
            delivered: BTreeSet::new(),
            epoch: 0,
            rekeys_allowed: true,
            recorded: Vec::new(),
            refused: Vec::new(),
            events: Vec::new(),
        }
    }

    pub fn link(&mut self, side: Side) -> &mut Link<AwsLc> {
        &mut self.links[side as usize]
    }

    pub fn sent_by(&self, side: Side) -> BTreeSet<Vec<u8>> {
        self.sent.iter().filter(|(from, _)| *from == side).map(|(_, packet)| packet.clone()).collect()
    }

    pub fn delivered_to(&self, side: Side) -> BTreeSet<Vec<u8>> {
        self.delivered.iter().filter(|(to, _)| *to == side).map(|(_, packet)| packet.clone()).collect()
    }

    fn at(&mut self, delay: Duration, due: Due) {
        self.order += 1;
        self.due.insert((self.now + delay, self.order), due);
    }

    /// A handshake: both ends install at times of their own; Bob's word that he is ready reaches Alice, Alice's is lost.
    pub fn rekey(&mut self) {
        self.epoch += 1;
        let (alice, bob) = (self.chance.below(30), self.chance.below(30));
        self.at(ms(alice), Due::Install(Side::Alice, self.epoch));
        self.at(ms(bob), Due::Install(Side::Bob, self.epoch));
        self.at(ms(alice.max(bob) + 10), Due::PeerReady(Side::Alice, self.epoch));
    }

    /// Both ends send a packet each millisecond; then the network falls silent until everything has arrived.
    pub fn run(&mut self, milliseconds: u64) {
        for _ in 0..milliseconds {
            self.now += ms(1);
            self.send(Side::Alice);
            self.send(Side::Bob);
            self.eve();
            self.settle();
        }
        self.now += ms(self.network.jitter_ms + 10);
        self.settle();
    }

    fn settle(&mut self) {
        while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= self.now) {
            match entry.remove() {
                Due::Datagram(to, datagram) => self.arrive(to, datagram),
                Due::Install(side, epoch) => self.install(side, epoch),
                Due::PeerReady(side, epoch) => {
                    let now = self.now;
                    self.link(side).activate(now, Epoch(epoch));
                }
            }
        }
        self.poll(Side::Alice);
        self.poll(Side::Bob);
    }

    fn install(&mut self, side: Side, epoch: u64) {
        let now = self.now;
        self.link(side).install(now, keys_of(epoch, side)).expect("a newer epoch");
    }

    fn poll(&mut self, side: Side) {
        let now = self.now;
        while let Some(event) = self.link(side).poll(now) {
            let newest = matches!(event, Event::RekeyWanted(epoch) if epoch == Epoch(self.epoch));
            if newest && self.rekeys_allowed {
                self.rekey();
            }
            self.events.push((side, event));
        }
    }

    /// A packet that exists once: it carries the sender and a number.
    fn send(&mut self, from: Side) {
        self.order += 1;
        let (source, destination) =
            if from == Side::Alice { ("10.1.0.1", "10.2.0.1") } else { ("10.2.0.1", "10.1.0.1") };
        let size = 8 + self.chance.below(60) as usize;
        let payload = self.order.to_be_bytes().into_iter().cycle().take(size).collect::<Vec<_>>();
        let packet = udp(source.parse().unwrap(), destination.parse().unwrap(), (1, 2), &payload);
        let mut out = [0; 256];
        match self.link(from).seal(&packet, &mut out) {
            Err(reason) => self.refused.push(reason),
            Ok(len) => {
                self.sent.insert((from, packet));
                self.transmit(from.other(), out[..len].to_vec());
            }
        }
        self.poll(from);
    }

    fn transmit(&mut self, to: Side, datagram: Vec<u8>) {
        self.recorded.push((to, datagram.clone()));
        let copies = if self.chance.percent(self.network.duplication) { 2 } else { 1 };
        for _ in 0..copies {
            let delay = ms(1 + self.chance.below(self.network.jitter_ms + 1));
            if !self.chance.percent(self.network.loss) {
                self.at(delay, Due::Datagram(to, datagram.clone()));
            }
        }
    }

    fn arrive(&mut self, to: Side, mut datagram: Vec<u8>) {
        let now_known = self.link(to).open(&mut datagram).map(|inner| inner.to_vec());
        if let Ok(packet) = now_known {
            assert!(self.delivered.insert((to, packet)), "delivered twice");
        }
    }

    /// Once a millisecond Eve sends something: old, damaged, cut, redirected or invented.
    fn eve(&mut self) {
        if !self.network.eve || self.recorded.is_empty() {
            return;
        }
        let pick = self.chance.below(self.recorded.len() as u64) as usize;
        let (mut to, mut datagram) = self.recorded[pick].clone();
        let at = self.chance.below(datagram.len() as u64) as usize;
        match self.chance.below(5) {
            0 => {}
            1 => datagram[at] ^= 1 << self.chance.below(8),
            2 => datagram.truncate(at),
            3 => to = to.other(),
            _ => datagram.iter_mut().skip(8).for_each(|octet| *octet = self.chance.below(256) as u8),
        }
        self.arrive(to, datagram);
    }
}
