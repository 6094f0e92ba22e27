//! What passes our link beside OpenVPN, wireguard-go and the bare wire, each between namespaces of its own over veth.

use super::results::Measurement;
use super::{Preferred, alone, flood, limit, prefer};
pub use crate::tunnel::{CLEARTEXT, OURS};
use crate::tunnel::{OpenVpn, Ours, Tunnel, Wire, WireguardGo};
use anyhow::{Context, Result, bail};
use coloa_xtask::progress::Task;
use coloa_xtask::stand::Bench;
use std::process::Output;

/// TCP through the tunnel; the threads are its streams.
pub const TCP: &str = "TCP";
/// The same on a wire that takes one datagram at a time.
pub const TCP_CUT: &str = "TCP, no segmentation on the wire";
/// What both ends of the tunnel spend.
pub const CPU: &str = "CPU of both ends, TCP";
/// Small datagrams as fast as they can be sent.
pub const UDP: &str = "UDP 1400 B received";
/// Half of a round trip of 64 octets.
pub const LATENCY: &str = "one-way latency";
/// Resident memory of one end.
pub const MEMORY: &str = "memory of one end";

/// TCP streams of a run.
const STREAMS: &[usize] = &[1, 4];

/// Measures everything.
pub fn measure(args: &Bench) -> Result<Vec<Measurement>> {
    let task = Task::start("starting OpenVPN, wireguard-go and our link");
    let tunnels: [Box<dyn Tunnel>; 4] = [
        Box::new(Wire::start()?),
        Box::new(Ours::start()?),
        Box::new(OpenVpn::start()?),
        Box::new(WireguardGo::start()?),
    ];
    for tunnel in &tunnels {
        tunnel.ends().tunnel().chain(tunnel.ends().servers()).for_each(prefer);
    }
    task.done();
    let mut all = vec![];
    for streams in STREAMS {
        all.extend(in_turn(args, &tunnels, (TCP, *streams, "Gbit/s"), |tunnel| tcp(tunnel, *streams, args.seconds))?);
    }
    all.extend(in_turn(args, &tunnels[1..], (CPU, 1, "s/GB"), |tunnel| cpu(tunnel, args.seconds))?);
    all.push(cipher_alone(args)?);
    all.extend(in_turn(args, &tunnels, (UDP, 1, "1/s"), |tunnel| udp(tunnel, args.seconds))?);
    all.extend(in_turn(args, &tunnels, (LATENCY, 1, "µs"), |tunnel| latency(tunnel, args.seconds))?);
    for tunnel in &tunnels {
        tunnel.ends().offload(false)?;
    }
    all.extend(in_turn(args, &tunnels, (TCP_CUT, 1, "Gbit/s"), |tunnel| tcp(tunnel, 1, args.seconds))?);
    all.extend(in_turn(args, &tunnels[1..], (MEMORY, 1, "MB"), memory)?);
    drop(tunnels);
    all.extend(flood::measure(args)?);
    Ok(all)
}

/// One task, by each in turn, round after round.
fn in_turn(
    args: &Bench,
    tunnels: &[Box<dyn Tunnel>],
    (what, streams, unit): (&str, usize, &str),
    once: impl Fn(&dyn Tunnel) -> Result<f64>,
) -> Result<Vec<Measurement>> {
    let mut measured: Vec<_> = tunnels.iter().map(|t| Measurement::new(what, streams, t.name(), unit)).collect();
    let task = Task::start(format!("{what}, {streams}"));
    for _ in 0..args.rounds {
        for (tunnel, measured) in tunnels.iter().zip(&mut measured) {
            task.note(tunnel.name());
            measured.figures.push(once(tunnel.as_ref()).with_context(|| format!("{what} through {}", tunnel.name()))?);
        }
    }
    task.done();
    Ok(measured)
}

/// Gbit/s that arrived; the first second does not count.
fn tcp(tunnel: &dyn Tunnel, streams: usize, seconds: u32) -> Result<f64> {
    let said = iperf3(tunnel, seconds, &["-O", "1", "-P", &streams.to_string()])?;
    Ok(number(&said["end"]["sum_received"]["bits_per_second"])? / 1e9)
}

/// CPU seconds of the tunnel's processes for 10⁹ octets of one TCP stream.
fn cpu(tunnel: &dyn Tunnel, seconds: u32) -> Result<f64> {
    let before = spent(tunnel)?;
    let said = iperf3(tunnel, seconds.max(2), &[])?;
    let octets = number(&said["end"]["sum_received"]["bytes"])?;
    Ok((spent(tunnel)? - before) / (octets / 1e9))
}

/// What sealing and opening every packet costs by itself: a tunnel with this cipher cannot spend less.
fn cipher_alone(args: &Bench) -> Result<Measurement> {
    let mut measured = Measurement::new(CPU, 1, limit::NAME, "s/GB");
    let _preferred = Preferred::now();
    for _ in 0..args.rounds {
        let rate = limit::rate(limit::PACKET, 1, args.seconds)?.context("AWS-LC has AES-GCM")?;
        measured.figures.push(2.0 * 1e9 / (limit::PACKET_LEN as f64 * rate));
    }
    Ok(measured)
}

/// Datagrams of 1400 octets a second that arrived, of as many as the sender could send.
pub fn udp(tunnel: &dyn Tunnel, seconds: u32) -> Result<f64> {
    let said = iperf3(tunnel, seconds, &["-u", "-l", "1400", "-b", "0", "-w", "8M"])?;
    let sum = &said["end"]["sum"];
    Ok((number(&sum["packets"])? - number(&sum["lost_packets"])?) / number(&sum["seconds"])?)
}

/// Half a round trip, the median, as sockperf measures it.
fn latency(tunnel: &dyn Tunnel, seconds: u32) -> Result<f64> {
    let seconds = seconds.to_string();
    let out = run(tunnel, &["sockperf", "pp", "-i", tunnel.target(), "-p", "11111", "-t", &seconds, "-m", "64"])?;
    let said = String::from_utf8_lossy(&out.stdout);
    let median = said.lines().find_map(|line| line.split_once("percentile 50.000 =").map(|(_, figure)| figure));
    median.and_then(|figure| figure.trim().parse().ok()).with_context(|| format!("sockperf says no median: {said}"))
}

/// MB that one end has resident: the larger of the two.
fn memory(tunnel: &dyn Tunnel) -> Result<f64> {
    let resident = |pid: u32| -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
    };
    let ends = tunnel.ends().tunnel().map(resident).collect::<Result<Vec<_>>>()?;
    Ok(ends.into_iter().fold(0.0, f64::max))
}

/// User and system time of the tunnel's processes so far, in seconds (fields 14 and 15 of /proc/PID/stat, 1/100 s).
fn spent(tunnel: &dyn Tunnel) -> Result<f64> {
    let mut ticks = 0.0;
    for pid in tunnel.ends().tunnel() {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let (_, fields) = stat.rsplit_once(") ").context("no fields in /proc/PID/stat")?;
        ticks += fields.split(' ').skip(11).take(2).filter_map(|f| f.parse::<f64>().ok()).sum::<f64>();
    }
    Ok(ticks / 100.0)
}

pub fn iperf3(tunnel: &dyn Tunnel, seconds: u32, more: &[&str]) -> Result<serde_json::Value> {
    let seconds = seconds.to_string();
    let words = ["iperf3", "-c", tunnel.target(), "-J", "-t", &seconds];
    let out = run(tunnel, &[words.as_slice(), more].concat())?;
    let said: serde_json::Value = serde_json::from_slice(&out.stdout).context("iperf3 speaks no JSON")?;
    match said["error"].as_str() {
        Some(why) => bail!("iperf3: {why}"),
        None => Ok(said),
    }
}

fn run(tunnel: &dyn Tunnel, words: &[&str]) -> Result<Output> {
    alone(&tunnel.ends().near().command(words)).output().with_context(|| format!("cannot start {}", words[0]))
}

pub fn number(value: &serde_json::Value) -> Result<f64> {
    value.as_f64().context("iperf3 leaves a figure out")
}
