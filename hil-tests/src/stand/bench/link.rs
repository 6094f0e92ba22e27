//! iperf3 through our link beside OpenVPN, each between namespaces of its own over veth.

use super::{alone, median, table};
use crate::tunnel::{OpenVpn, Ours, Tunnel};
use anyhow::{Context, Result, bail};
use coloa_xtask::progress::Task;
use coloa_xtask::stand::Bench;

/// TCP streams of a run.
const STREAMS: &[usize] = &[1, 4];

/// Measures and prints.
pub fn measure(args: &Bench) -> Result<()> {
    let mut rows = table(&["iperf3, Gbit/s", "OpenVPN", "Cổ Loa", "ratio"]);
    let task = Task::start("starting OpenVPN and our link");
    let tunnels: [Box<dyn Tunnel>; 2] = [Box::new(OpenVpn::start()?), Box::new(Ours::start()?)];
    task.done();
    for streams in STREAMS {
        let mut figures = [vec![], vec![]];
        let task = Task::start(format!("iperf3, {streams} streams"));
        for _ in 0..args.rounds {
            for (tunnel, figures) in tunnels.iter().zip(&mut figures) {
                task.note(tunnel.name());
                figures.push(iperf3(tunnel.as_ref(), *streams, args.seconds)?);
            }
        }
        task.done();
        let [theirs, ours] = figures.map(median);
        if args.json {
            let line = serde_json::json!({"streams": streams, "openvpn_gbps": theirs, "coloa_gbps": ours});
            println!("{line}");
        }
        let cells = [theirs, ours, ours / theirs].map(|f| format!("{f:.2}"));
        rows.add_row([format!("{streams} TCP streams")].into_iter().chain(cells));
    }
    if !args.json {
        println!("\n{rows}\n");
    }
    Ok(())
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
