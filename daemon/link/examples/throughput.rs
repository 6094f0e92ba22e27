//! How fast one core seals, opens and coalesces: `cargo run --release -p coloa-link --example throughput`.
//!
//! One line per step, in Gbit/s of inner packets; single packets of 1400 octets, and TCP super-packets of 44 segments. Then the
//! whole pipeline into a sink, with one queue and with two: each queue is a thread with SAs of its own, and shares nothing.

#[path = "../tests/packets/mod.rs"]
mod packets;
#[path = "../tests/provider/mod.rs"]
mod provider;

use coloa_link::keys::SaKeys;
use coloa_link::virtio::{self, Header};
use coloa_link::{Coalescer, Epoch, Limits, Open, Outgoing, Seal, Spi, esp};
use packets::Tcp;
use provider::AwsLc;
use std::time::{Duration, Instant};

const PACKET: usize = 1400;
const BATCH: usize = 44;
const ROUNDS: usize = 6000;

/// An error here is a sentence for a person.
type Outcome<T = ()> = Result<T, String>;

fn failed<E: std::fmt::Debug>(step: &'static str) -> impl Fn(E) -> String {
    move |reason| format!("{step}: {reason:?}")
}

fn keys() -> Outcome<SaKeys> {
    Ok(SaKeys::new([7; 32], [9; 4], Spi::new(0x1234_5678).ok_or("the SPI is reserved")?))
}

fn seal() -> Outcome<Seal<AwsLc>> {
    Seal::new(Duration::ZERO, Epoch(1), keys()?, Limits::DEFAULT).map_err(failed("a key to seal with"))
}

fn open() -> Outcome<Open<AwsLc>> {
    Open::new(Duration::ZERO, Epoch(1), keys()?, Limits::DEFAULT).map_err(failed("a key to open with"))
}

/// Time spent in one step, over all rounds.
#[derive(Default)]
struct Meter(Duration);

impl Meter {
    fn run<T>(&mut self, step: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = step();
        self.0 += start.elapsed();
        result
    }

    fn print(&self, what: &str, octets: usize) {
        println!("{what:<44} {:7.2} Gbit/s", octets as f64 * 8.0 / self.0.as_nanos() as f64);
    }
}

fn main() -> Outcome {
    single_packets()?;
    print(&super_packets(ROUNDS)?);
    two_queues()
}

/// Runs of one queue and of two in turn; the medians count.
fn two_queues() -> Outcome {
    const TURNS: usize = 7;
    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        for (queues, rates) in [1, 2].into_iter().zip(&mut rates) {
            let begun = Instant::now();
            let done = std::thread::scope(|scope| -> Outcome<usize> {
                let threads: Vec<_> = (0..queues).map(|_| scope.spawn(|| super_packets(ROUNDS))).collect();
                let done = threads.into_iter().map(|thread| thread.join().map_err(|_| "a queue failed".to_owned())?);
                done.map(|steps| steps.map(|steps| steps.octets)).sum()
            })?;
            rates.push(done as f64 * 8.0 / begun.elapsed().as_nanos() as f64);
        }
    }
    let [one, two] = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[TURNS / 2]
    });
    println!("{:<44} {one:7.2} Gbit/s", "the pipeline into a sink, one queue");
    println!("{:<44} {two:7.2} Gbit/s, {:.2} times as much", "two queues", two / one);
    Ok(())
}

/// What a run has done, and in what time each step.
struct Steps {
    octets: usize,
    sealing: Meter,
    opening: Meter,
    joining: Meter,
}

fn print(steps: &Steps) {
    let Steps { octets, sealing, opening, joining } = steps;
    sealing.print("segment + checksum + seal, 44 segments", *octets);
    opening.print("open, 44 segments", *octets);
    joining.print("verify checksums + join, 44 segments", *octets);
    Meter(sealing.0 + opening.0 + joining.0).print("all of it, one core", *octets);
}

fn single_packets() -> Outcome {
    let packet = Tcp { payload: &[0x5a; PACKET - 52], ..Tcp::default() }.build();
    let (mut seal, mut open, mut out) = (seal()?, open()?, vec![0; 2048]);
    let (mut sealing, mut opening) = (Meter::default(), Meter::default());
    for _ in 0..ROUNDS * BATCH {
        let len = sealing.run(|| seal.seal(&packet, &mut out)).map_err(failed("seal"))?;
        opening.run(|| open.open(&mut out[..len]).map(|_| ())).map_err(failed("open"))?;
    }
    let octets = ROUNDS * BATCH * packet.len();
    sealing.print("seal 1400 B", octets);
    opening.print("open 1400 B", octets);
    Meter(sealing.0 + opening.0).print("seal + open 1400 B, one core", octets);
    Ok(())
}

fn super_packets(rounds: usize) -> Outcome<Steps> {
    let (payload, mss) = (vec![0x5a; BATCH * (PACKET - 52)], PACKET - 52);
    let packet = Tcp { payload: &payload, ..Tcp::default() }.build_partial();
    let header = Header {
        flags: virtio::NEEDS_CSUM,
        gso_type: virtio::GSO_TCPV4,
        header_len: 52,
        gso_size: mss as u16,
        csum_start: 20,
        csum_offset: 16,
    };
    let (mut seal, mut open, mut coalescer) = (seal()?, open()?, Coalescer::new());
    let (mut sealing, mut opening, mut joining) = (Meter::default(), Meter::default(), Meter::default());
    let mut arena = vec![0; 65_536];
    for _ in 0..rounds {
        let mut outgoing = Outgoing::with_header(header, &packet).map_err(failed("a super-packet"))?;
        let burst = sealing.run(|| seal.seal_burst(&mut outgoing, &mut arena)).map_err(failed("seal"))?;
        assert!(outgoing.is_done() && burst.count == BATCH);
        let mut opened = [(0, 0); BATCH];
        opening.run(|| -> Outcome {
            for (slot, (index, datagram)) in
                opened.iter_mut().zip(arena[..burst.len].chunks_mut(burst.segment_size).enumerate())
            {
                let inner = open.open(datagram).map_err(failed("open"))?;
                *slot = (index * burst.segment_size + esp::PREFIX_LEN, inner.len());
            }
            Ok(())
        })?;
        joining.run(|| {
            coalescer.clear();
            opened.iter().for_each(|(at, len)| coalescer.push(&arena, *at..at + len));
            assert_eq!(coalescer.frames(&arena).count(), 1);
        });
    }
    Ok(Steps { octets: rounds * packet.len(), sealing, opening, joining })
}
