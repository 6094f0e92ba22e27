//! Many connections that do nothing (R22, R34), and good clients beside them.

use crate::rig::{Appliance, Enrolled, call, key_pair, sign, until, user};
use coloa_client::Client;
use coloa_wire::command::*;
use coloa_wire::{ObjectId, SessionId};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// What is left idle, what is left half open, and what the appliance is told.
struct Load {
    idle: usize,
    half_open: usize,
    connections: usize,
    handshakes: usize,
}

/// What the load is, and the client that works beside it.
struct Stage {
    appliance: Appliance,
    enrolled: Vec<Enrolled>,
    good: Client,
    session: SessionId,
    key: ObjectId,
}

impl Stage {
    fn set(load: &Load) -> Self {
        let mut appliance = Appliance::operational();
        let court = appliance.partition("court");
        let limits = format!("connections = {}\nhandshakes = {}\n", load.connections, load.handshakes);
        // One client has three quarters of the channels at most.
        let enrolled: Vec<_> = (0..3).map(|n| appliance.enrol(court, &format!("srv-{n}"))).collect();
        appliance.stop();
        appliance.configure_with("127.0.0.1:0", &limits);
        // Nobody's handshake ends by its deadline here.
        let file = appliance.path("coload.toml");
        let text = std::fs::read_to_string(&file).unwrap().replace("handshake_ms = 5000", "handshake_ms = 600000");
        std::fs::write(&file, text).unwrap();
        appliance.start();
        let good = enrolled[0].client(&appliance.address());
        let session = user(&good, court);
        let key = key_pair(&good, session).unwrap();
        Stage { appliance, enrolled, good, session, key }
    }

    /// How long each of so many signatures took, sorted.
    fn signatures(&self, many: usize) -> Vec<Duration> {
        let one = |_| {
            let began = Instant::now();
            sign(&self.good, self.session, self.key).unwrap();
            began.elapsed()
        };
        let mut took: Vec<_> = (0..many).map(one).collect();
        took.sort_unstable();
        took
    }

    fn channels(&self) -> usize {
        let text = self.appliance.metrics();
        let line = text.lines().find_map(|l| l.strip_prefix("coloa_channels ")).unwrap().to_owned();
        line.parse().unwrap()
    }
}

/// Holds the load; the 99 of 100 before and under it.
fn under(load: &Load, many: usize) -> (Duration, Duration) {
    let files = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: files.maximum, maximum: files.maximum }).unwrap();
    let stage = Stage::set(load);
    let (address, quiet) = (stage.appliance.address(), stage.signatures(many));
    let idle: Vec<_> = (0..load.idle).map(|n| stage.enrolled[n % 3].client(&address)).collect();
    idle.iter().for_each(|client| drop(call(client, None, &TokenList {}).unwrap()));
    assert!(stage.channels() > load.idle, "{} channels", stage.channels());
    let half_open: Vec<_> = (0..load.half_open).map(|_| TcpStream::connect(&address).unwrap()).collect();
    // What gave way is gone, and the rest stays.
    let most = 1 + load.idle + load.handshakes;
    assert!(until(|| (load.idle + 2..=most).contains(&stage.channels())), "{} channels", stage.channels());
    let loaded = stage.signatures(many);
    // A new client still gets in, and those that are idle were not what gave way.
    call(&stage.enrolled[1].client(&address), None, &TokenList {}).unwrap();
    assert!(idle.iter().step_by(idle.len().div_ceil(50)).all(|client| call(client, None, &TokenList {}).is_ok()));
    drop(half_open);
    let p99 = |took: &[Duration]| took[took.len() * 99 / 100];
    (p99(&quiet), p99(&loaded))
}

/// R22.
#[test]
fn hundreds_of_idle_and_half_open_connections_leave_good_clients_alone() {
    let (quiet, loaded) = under(&Load { idle: 200, half_open: 150, connections: 400, handshakes: 40 }, 200);
    println!("99 % of signatures took {quiet:?} before and {loaded:?} beside 200 idle and 150 half-open connections");
    // Far more than its normal, for machines that are busy with other tests; without places for strangers it is refused.
    assert!(loaded < quiet * 10 + Duration::from_millis(100), "{loaded:?} instead of {quiet:?}");
}

/// R34.
#[test]
fn strangers_have_no_more_than_their_places() {
    let load = Load { idle: 0, half_open: 0, connections: 400, handshakes: 20 };
    let stage = Stage::set(&load);
    let address = stage.appliance.address();
    let strangers: Vec<_> = (0..120).map(|_| TcpStream::connect(&address).unwrap()).collect();
    // One is the good client's own.
    assert!(until(|| stage.channels() <= 21), "{} channels", stage.channels());
    drop(strangers);
}

/// The long form: `cargo test -p coloa-appliance --test appliance -- --ignored ten_thousand`.
#[test]
#[ignore = "takes minutes and 10,000 threads; for `cargo xtask soak` and by hand"]
fn ten_thousand_idle_and_a_thousand_half_open() {
    let load = Load { idle: 10_000, half_open: 1_000, connections: 12_000, handshakes: 1_000 };
    let (quiet, loaded) = under(&load, 2_000);
    println!(
        "99 % of signatures took {quiet:?} before and {loaded:?} beside 10,000 idle and 1,000 half-open connections"
    );
    assert!(loaded < quiet * 2, "{loaded:?} is more than twice {quiet:?}");
}
