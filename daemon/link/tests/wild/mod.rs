//! The world that `soak` runs: two sites, a control channel that breaks off, a network, and Eve, who owns it.

mod site;

use crate::provider::AwsLc;
use coloa_link::keys::{EXPORT_LEN, KeyMaterial};
use coloa_link::{Epoch, Limits, Link, Role};
pub use site::Site;
use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::time::Duration;

/// Begins the payload of every red packet; nothing on black may hold it.
pub const CANARY: &[u8] = b"canary-red-side-";
/// Where Eve sends from and listens.
const EVES: [&str; 2] = ["203.0.113.66:4500", "203.0.113.67:9"];
/// A datagram of a moment ago that Eve can replay.
const MEMORY: usize = 400;

pub fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Small limits, so that seconds see many epochs and a jump of the clock passes the hard ones.
pub fn limits() -> Limits {
    Limits {
        soft_packets: 120,
        hard_packets: 600,
        soft_age: Duration::from_secs(20),
        hard_age: Duration::from_secs(60),
        drain: ms(500),
        ..Limits::DEFAULT
    }
}

/// xorshift64*: chance that repeats.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % bound.max(1)
    }

    pub fn permille(&mut self, permille: u64) -> bool {
        self.below(1000) < permille
    }
}

/// What has happened, to know that something did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Seen {
    pub delivered: u64,
    pub epochs: u64,
    pub replays: u64,
    pub forgeries: u64,
    pub broken_off: u64,
    pub moves: u64,
    pub restarts: u64,
    pub handovers: u64,
    pub jumps: u64,
    pub silences: u64,
    pub resized: u64,
    pub to_eve: u64,
}

impl Seen {
    fn fields(&mut self) -> [&mut u64; 12] {
        [
            &mut self.delivered,
            &mut self.epochs,
            &mut self.replays,
            &mut self.forgeries,
            &mut self.broken_off,
            &mut self.moves,
            &mut self.restarts,
            &mut self.handovers,
            &mut self.jumps,
            &mut self.silences,
            &mut self.resized,
            &mut self.to_eve,
        ]
    }

    pub fn add(&mut self, other: &Self) {
        for (sum, more) in self.fields().into_iter().zip(other.clone().fields()) {
            *sum += *more;
        }
    }

    pub fn assert_something_of_everything(&mut self, seeds: u64) {
        assert!(self.fields().into_iter().all(|count| *count >= seeds / 20), "too calm: {self:?}");
    }
}

/// What waits for its time.
enum Due {
    Datagram { from: SocketAddr, to: SocketAddr, octets: Vec<u8> },
    Control(usize, Step),
}

/// A step of one negotiation at one site.
#[derive(Clone, Copy)]
enum Step {
    Install { epoch: u64, handshake: u64 },
    PeerReady { epoch: u64 },
}

/// What the network does to datagrams now, in permille and milliseconds.
#[derive(Clone, Copy)]
struct Weather {
    loss: u64,
    duplication: u64,
    corruption: u64,
    jitter: u64,
    carries: usize,
    partition: [bool; 2],
    eve: bool,
}

const CALM: Weather =
    Weather { loss: 0, duplication: 0, corruption: 0, jitter: 2, carries: 1500, partition: [false; 2], eve: false };

pub struct Wild {
    pub now: Duration,
    pub chance: Chance,
    pub seen: Seen,
    sites: [Site; 2],
    weather: Weather,
    due: BTreeMap<(Duration, u64), Due>,
    order: u64,
    handshakes: u64,
    session: bool,
    next_dial: Duration,
    recorded: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    nonces: HashSet<[u8; 12]>,
    /// Octets that Eve sent from her own addresses, and those that came to her there.
    provoked: u64,
    answered: u64,
}

impl Wild {
    pub fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let sites = ["192.0.2.1:4500", "198.51.100.1:4500"].map(|at| Site::new(at.parse().unwrap()));
        let weather = Weather { eve: chance.permille(800), ..CALM };
        Self {
            now: ms(1000),
            chance,
            seen: Seen::default(),
            sites,
            weather,
            due: BTreeMap::new(),
            order: 0,
            handshakes: 0,
            session: false,
            next_dial: ms(0),
            recorded: Vec::new(),
            nonces: HashSet::new(),
            provoked: 0,
            answered: 0,
        }
    }

    /// So many steps of bad weather.
    pub fn suffer(&mut self, steps: u64) {
        for step in 0..steps {
            if step.is_multiple_of(40) {
                self.change_weather();
            }
            self.misfortune();
            self.step(25);
            self.eve();
        }
    }

    /// The faults end. Within a minute everything must work, whatever came before.
    pub fn recover(&mut self) {
        self.weather = Weather { carries: self.weather.carries.max(1400), ..CALM };
        self.session = false;
        for _ in 0..300 {
            self.step(200);
        }
        while self.due.values().any(|due| matches!(due, Due::Control(..))) {
            self.step(50);
        }
        let before = self.sites.each_ref().map(|site| site.delivered.len());
        let epochs = self.sites.each_mut().map(|site| site.link.outbound().epoch());
        assert!(epochs[0].is_some() && epochs[0] == epochs[1], "a split epoch: {epochs:?}");
        for _ in 0..10 {
            self.step(50);
        }
        for (index, site) in self.sites.iter().enumerate() {
            assert_eq!(site.delivered.len() - before[index], 10, "site {index} does not hear everything");
            assert_eq!(site.path.address(), Some(self.sites[1 - index].at), "site {index} sends elsewhere");
            assert_eq!(site.path.silent_since(), None);
        }
        assert!(self.answered <= self.provoked, "amplified: {} for {}", self.answered, self.provoked);
    }

    fn change_weather(&mut self) {
        let chance = &mut self.chance;
        self.weather = Weather {
            loss: chance.below(200),
            duplication: chance.below(100),
            corruption: chance.below(50),
            jitter: 1 + chance.below(120),
            carries: 1290 + chance.below(260) as usize,
            partition: [chance.permille(150), chance.permille(150)],
            eve: self.weather.eve,
        };
    }

    /// Rare events at the sites themselves.
    fn misfortune(&mut self) {
        let index = self.chance.below(2) as usize;
        match self.chance.below(1000) {
            0..4 => {
                let host = self.chance.below(200) as u8 + 2;
                self.sites[index].at = SocketAddr::from(([198, 51, 100 + index as u8, host], 4500));
                self.session = false;
            }
            4..6 => {
                let at = self.sites[index].at;
                self.sites[index] = Site { delivered: self.sites[index].take_delivered(), ..Site::new(at) };
                // The connection on which both were negotiating dies with it.
                self.due.retain(|_, due| !matches!(due, Due::Control(..)));
                (self.session, self.seen.restarts) = (false, self.seen.restarts + 1);
            }
            6..9 => {
                let jump = [5, 30, 70, 4000][self.chance.below(4) as usize];
                self.sites[index].clock += Duration::from_secs(jump);
                self.seen.jumps += 1;
            }
            9..20 => self.session = false,
            20..30 => {
                let now = self.now;
                self.sites[index].give_way_to_a_successor(now);
                // Connections end with the process, SAs do not.
                self.due.retain(|_, due| !matches!(due, Due::Control(..)));
                (self.session, self.seen.handovers) = (false, self.seen.handovers + 1);
            }
            _ => {}
        }
    }

    fn step(&mut self, milliseconds: u64) {
        self.now += ms(milliseconds);
        self.dial();
        for index in 0..2 {
            self.order += 1;
            let (order, size) = (self.order, 40 + self.chance.below(80) as usize);
            for (to, octets) in self.sites[index].send(self.now, index, order, size) {
                self.transmit(index, to, octets);
            }
        }
        self.settle();
        for index in 0..2 {
            self.session &= !self.sites[index].poll(self.now);
            let sent = self.sites[index].follow_path(self.now, &mut self.chance, &mut self.seen);
            for (to, octets) in sent {
                self.transmit(index, to, octets);
            }
        }
        self.settle();
    }

    /// Both ends negotiate an epoch when there is no session. It breaks off anywhere: each step that has been reached is
    /// taken, each that has not is lost.
    fn dial(&mut self) {
        let parted = self.weather.partition != [false; 2];
        if self.session || self.now < self.next_dial || parted {
            return;
        }
        self.next_dial = self.now + ms(300);
        self.handshakes += 1;
        let newest = self.sites.iter().map(|site| site.newest).max().unwrap_or(0);
        let (epoch, handshake) = (newest + 1, self.handshakes);
        self.sites.iter_mut().for_each(|site| site.newest = epoch);
        let reached = if self.weather.jitter == CALM.jitter { 4 } else { self.chance.below(7).min(4) };
        let first = self.chance.below(2) as usize;
        let steps = [
            (first, Step::Install { epoch, handshake }),
            (1 - first, Step::Install { epoch, handshake }),
            (first, Step::PeerReady { epoch }),
            (1 - first, Step::PeerReady { epoch }),
        ];
        let mut delay = ms(0);
        for (index, step) in steps.into_iter().take(reached as usize) {
            delay += ms(self.chance.below(40));
            self.at(delay, Due::Control(index, step));
        }
        self.session = reached == 4;
        self.seen.broken_off += u64::from(reached < 4);
        self.seen.epochs += u64::from(reached == 4);
    }

    fn at(&mut self, delay: Duration, due: Due) {
        self.order += 1;
        self.due.insert((self.now + delay, self.order), due);
    }

    fn settle(&mut self) {
        while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= self.now) {
            match entry.remove() {
                Due::Datagram { from, to, octets } => self.arrive(from, to, octets),
                Due::Control(index, Step::Install { epoch, handshake }) => {
                    let to = self.sites[1 - index].at;
                    self.sites[index].install(self.now, keys_of(handshake, epoch, index), to);
                }
                Due::Control(index, Step::PeerReady { epoch }) => {
                    let site = &mut self.sites[index];
                    let now = site.time(self.now);
                    site.link.activate(now, Epoch(epoch));
                }
            }
        }
    }

    /// A site sends: everything that leaves is looked at, then the network does what it does.
    fn transmit(&mut self, index: usize, to: SocketAddr, octets: Vec<u8>) {
        assert!(!octets.windows(CANARY.len()).any(|window| window == CANARY), "cleartext on black");
        if octets.len() > 1 {
            let nonce = [&octets[..4], &octets[8..16]].concat().try_into().unwrap();
            assert!(self.nonces.insert(nonce), "a nonce is used twice");
        }
        let from = self.sites[index].at;
        if EVES.iter().any(|eve| *eve == to.to_string()) {
            self.seen.to_eve += 1;
            // Who has answered a challenge from there is the peer for all that can be known.
            if !self.sites[index].proved.contains(&to) {
                self.answered += octets.len() as u64;
            }
            // Sometimes she plays the relay, so that the peer does answer her challenge.
            if self.weather.eve && self.chance.permille(500) {
                let real = self.sites[1 - index].at;
                self.provoked += octets.len() as u64;
                self.at(ms(5), Due::Datagram { from: to, to: real, octets });
            }
            return;
        }
        if self.recorded.len() == MEMORY {
            let forgotten = self.chance.below(MEMORY as u64) as usize;
            self.recorded.swap_remove(forgotten);
        }
        self.recorded.push((from, to, octets.clone()));
        let weather = self.weather;
        if weather.partition[index] || octets.len() + 28 > weather.carries {
            return;
        }
        let copies = 1 + u64::from(self.chance.permille(weather.duplication));
        for _ in 0..copies {
            let mut octets = octets.clone();
            if self.chance.permille(weather.corruption) {
                let at = self.chance.below(octets.len() as u64) as usize;
                octets[at] ^= 1 << self.chance.below(8);
            }
            if !self.chance.permille(weather.loss) {
                let delay = ms(1 + self.chance.below(weather.jitter));
                self.at(delay, Due::Datagram { from, to, octets });
            }
        }
    }

    fn arrive(&mut self, from: SocketAddr, to: SocketAddr, octets: Vec<u8>) {
        let Some(index) = self.sites.iter().position(|site| site.at == to) else { return };
        let answers = self.sites[index].receive(self.now, from, octets, &mut self.chance, &mut self.seen);
        for (to, octets) in answers {
            self.transmit(index, to, octets);
        }
    }

    /// Eve replays, damages, cuts, redirects, invents; and sends what is not hers from where she is.
    fn eve(&mut self) {
        if !self.weather.eve || self.recorded.is_empty() {
            return;
        }
        let pick = self.chance.below(self.recorded.len() as u64) as usize;
        let (mut from, mut to, mut octets) = self.recorded[pick].clone();
        let at = self.chance.below(octets.len() as u64) as usize;
        match self.chance.below(6) {
            0 => {}
            1 => octets[at] ^= 1 << self.chance.below(8),
            2 => octets.truncate(at),
            3 => (from, to) = (to, from),
            4 => octets.iter_mut().skip(8).for_each(|octet| *octet = self.chance.below(256) as u8),
            // The newest, before it arrives: it may well be taken, and its source is hers.
            _ => {
                (_, to, octets) = self.recorded.last().cloned().unwrap();
                from = EVES[self.chance.below(2) as usize].parse().unwrap();
                self.provoked += octets.len() as u64;
            }
        }
        self.arrive(from, to, octets);
    }
}

/// What both ends export from a handshake: never the same twice, even when epochs begin anew after both have restarted.
fn keys_of(handshake: u64, epoch: u64, index: usize) -> KeyMaterial {
    let mut chance = Chance::new(handshake ^ 0x5eed);
    let export: [u8; EXPORT_LEN] = std::array::from_fn(|_| chance.below(256) as u8);
    KeyMaterial::from_exporter(&export, if index == 0 { Role::Client } else { Role::Server }, Epoch(epoch), 0)
}

pub type Wire = Link<AwsLc>;
