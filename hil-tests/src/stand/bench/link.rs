//! iperf3 through our link beside OpenVPN, each between namespaces of its own over veth.

use super::alone;
use super::results::Measurement;
use crate::tunnel::{OpenVpn, Ours, Tunnel};
use anyhow::{Context, Result, bail};
use coloa_xtask::progress::Task;
use coloa_xtask::stand::Bench;

/// TCP streams of a run.
const STREAMS: &[usize] = &[1, 4];

/// Measures everything.
pub fn measure(args: &Bench) -> Result<Vec<Measurement>> {
    let task = Task::start("starting OpenVPN and our link");
    let tunnels: [Box<dyn Tunnel>; 2] = [Box::new(OpenVpn::start()?), Box::new(Ours::start()?)];
    task.done();
    let mut all = vec![];
    for streams in STREAMS {
        let names = tunnels.iter().map(|tunnel| tunnel.name());
        let mut measured: Vec<_> = names.map(|name| Measurement::new("iperf3", *streams, name, "Gbit/s")).collect();
        let task = Task::start(format!("iperf3, {streams} streams"));
        for _ in 0..args.rounds {
            for (tunnel, measured) in tunnels.iter().zip(&mut measured) {
                task.note(tunnel.name());
                measured.figures.push(iperf3(tunnel.as_ref(), *streams, args.seconds)?);
            }
        }
        task.done();
        all.extend(measured);
    }
    Ok(all)
}

/// Gbit/s that arrived; the first second does not count.
fn iperf3(tunnel: &dyn Tunnel, streams: usize, seconds: u32) -> Result<f64> {
    let (here, address) = tunnel.client();
    let (seconds, streams) = (seconds.to_string(), streams.to_string());
    let iperf = here.command(&["iperf3", "-c", &address, "-J", "-O", "1", "-t", &seconds, "-P", &streams]);
    let out = alone(&iperf).output().context("cannot start iperf3")?;
    let said: serde_json::Value = serde_json::from_slice(&out.stdout).context("iperf3 speaks no JSON")?;
    match said["end"]["sum_received"]["bits_per_second"].as_f64() {
        Some(bits) => Ok(bits / 1e9),
        None => bail!("iperf3 through {}: {}", tunnel.name(), said["error"]),
    }
}
