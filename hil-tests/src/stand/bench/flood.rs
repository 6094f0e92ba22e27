//! Good traffic at half of what the link takes, while a stranger on the black wire sends the far end malformed and unknown
//! packets, each in a datagram of its own.

use super::link::{self, iperf3, number};
use super::prefer;
use super::results::Measurement;
use crate::tunnel::{Ours, Tunnel, UNDERLAY};
use anyhow::{Context, Result};
use coloa_hil_tests::network::Namespace;
use coloa_xtask::progress::Task;
use coloa_xtask::stand::Bench;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What of the good traffic does not arrive.
pub const LOST: &str = "UDP lost at half rate beside strangers";
/// How many packets the stranger gets out meanwhile.
pub const STRANGERS: &str = "strangers' packets beside it";

/// Packets a second.
const RATE: f64 = 200_000.0;
/// Packets between two looks at the clock.
const BURST: u32 = 50;
/// Octets of a good datagram.
const GOOD: f64 = 1400.0;

/// Measures both.
pub fn measure(args: &Bench) -> Result<Vec<Measurement>> {
    let link = Ours::start()?;
    link.ends().tunnel().chain(link.ends().servers()).for_each(prefer);
    let mut lost = Measurement::new(LOST, 1, link.name(), "%");
    let mut strangers = Measurement::new(STRANGERS, 1, link.name(), "1/s");
    let task = Task::start("good traffic beside strangers");
    for _ in 0..args.rounds {
        let half = link::udp(&link, args.seconds)? / 2.0 * GOOD * 8.0;
        let stopping = AtomicBool::new(false);
        let (said, sent) = std::thread::scope(|scope| {
            let flood = scope.spawn(|| flood(link.ends().near(), &stopping));
            let words = ["-u", "-l", "1400", "-w", "8M", "-b"];
            let said = iperf3(&link, args.seconds.max(3), &[&words[..], &[&format!("{half:.0}")]].concat());
            stopping.store(true, Ordering::Relaxed);
            (said, flood.join())
        });
        let sum = &said?["end"]["sum"];
        lost.figures.push(number(&sum["lost_packets"])? * 100.0 / number(&sum["packets"])?);
        strangers.figures.push(sent.ok().context("the flood ended badly")??);
    }
    task.done();
    Ok(vec![lost, strangers])
}

/// Sends until it is told to stop; how many a second it were.
fn flood(from: &Namespace, stopping: &AtomicBool) -> Result<f64> {
    let namespace = File::open(format!("/run/netns/{}", from.name()))?;
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
    let socket = UdpSocket::bind((UNDERLAY[0], 0))?;
    socket.connect((UNDERLAY[1], 4500))?;
    let packets = strange();
    let (start, mut sent) = (Instant::now(), 0_u32);
    while !stopping.load(Ordering::Relaxed) {
        for _ in 0..BURST {
            let packet = packets.get(sent as usize % packets.len()).context("there are packets")?;
            // a full queue is the sender's own trouble
            socket.send(packet).ok();
            sent += 1;
        }
        let due = Duration::from_secs_f64(f64::from(sent) / RATE);
        std::thread::sleep(due.saturating_sub(start.elapsed()));
    }
    Ok(f64::from(sent) / start.elapsed().as_secs_f64())
}

/// An SPI that nobody has with the length of a packet; too short for anything; IKE's marker; a NAT keepalive of the wrong octet.
fn strange() -> Vec<Vec<u8>> {
    let unknown = |spi: u32, len: usize| [&spi.to_be_bytes()[..], &vec![0x5a; len]].concat();
    let mut all: Vec<Vec<u8>> = (0..60).map(|n| unknown(0x9e37_79b9_u32.wrapping_mul(n + 1) | 0x100, 96)).collect();
    all.extend([vec![], vec![1], vec![0; 8], unknown(0, 64), unknown(7, 3), unknown(u32::MAX, 1400)]);
    all
}
