//! Two link encryptors with certificates of our PKI and keys in tokens; tcpdump on the black wire from before the start to
//! after the end.

use super::report::Report;
use super::{PREFIX, Scene};
use anyhow::{Context, Result, ensure};
use coloa_hil_tests::background::{Background, until};
use coloa_hil_tests::blackwire::{FAR, Seen, Sites, judge, received, send_canaries, serve_canaries, without_encryptor};
use coloa_hil_tests::body::{Embedded, Home};
use coloa_hil_tests::network::Capture;
use coloa_hil_tests::site::KeyPlace;
use coloa_hil_tests::target::{LABEL, Target, USER_PIN};
use std::time::Duration;

/// Every namespace that this part makes.
pub fn namespaces(prefix: &str) -> Vec<String> {
    let names = ["red-a", "red-b", "black-a", "black-b", "plain-a", "plain-b"];
    names.iter().map(|name| format!("{prefix}-{name}")).collect()
}

/// What runs during this part.
struct Running {
    near: Background,
    far: Background,
    canaries: Background,
    capture: Capture,
}

pub fn show(report: &mut Report, scene: &Scene) -> Result<()> {
    let keys = Embedded::start_in(Home::kept(&scene.dir.join("keys"))?)?;
    let mut sites = None;
    report.line("PKI: root, issuing CA, two devices, keys in tokens", "OpenSSL", || {
        sites = Some(Sites::make(PREFIX, &scene.dir.join("sites"), &place(&keys))?);
        chain(&scene.dir.join("sites"))
    });
    let mut sites = sites.context("without certificates there is no link")?;
    report.line("without an encryptor the wire shows every canary", "tcpdump, grep", || {
        let seen = without_encryptor(PREFIX, &scene.dir)?;
        ensure!(seen.canaries.len() >= 7, "only {:?} were seen: the check below could not fail", seen.canaries);
        Ok(format!("{} canaries in the clear", seen.canaries.len()))
    });
    let mut running = start(report, &sites, scene)?;
    carry(report, &sites, scene);
    report.line("kill -9 of one daemon: nothing gets through", "ping", || {
        running.near.kill()?;
        ensure!(!send_canaries(&sites.red[0], FAR)?, "canaries arrived without the daemon");
        ensure!(!sites.red[0].reaches(FAR[0]), "ping came back without the daemon");
        Ok("no route, no packet".into())
    });
    report.line("started again, the link is back", "ping", || {
        running.near = sites.start("site-a")?;
        sites.await_up()?;
        Ok("IPv4 and IPv6 answer".into())
    });
    finish(report, &mut sites, scene, running)
}

fn place(keys: &Embedded) -> KeyPlace {
    KeyPlace {
        module: keys.module().to_owned(),
        token: LABEL.into(),
        pin: USER_PIN.into(),
        environment: keys.environment(),
    }
}

/// `openssl verify` of both devices' chains.
fn chain(dir: &std::path::Path) -> Result<String> {
    for device in ["site-a.pem", "site-b.pem"] {
        let mut openssl = std::process::Command::new("openssl");
        openssl.args(["verify", "-x509_strict", "-CAfile", "root/ca.pem", "-untrusted", device, device]);
        let out = openssl.current_dir(dir).output().context("cannot start openssl")?;
        ensure!(out.status.success(), "openssl verify: {}", String::from_utf8_lossy(&out.stderr).trim());
    }
    Ok("both chains verify to the root".into())
}

fn start(report: &mut Report, sites: &Sites, scene: &Scene) -> Result<Running> {
    let capture = sites.capture("black")?;
    report.line("before the start red has no way out", "ping", || {
        ensure!(!send_canaries(&sites.red[0], FAR)?, "canaries left without a daemon");
        Ok("no route, no packet".into())
    });
    let mut daemons = None;
    report.line("two coloa-linkd bring up the link", "ping", || {
        daemons = Some((sites.start("site-a")?, sites.start("site-b")?));
        sites.await_up()?;
        Ok("IPv4 and IPv6 answer".into())
    });
    let (near, far) = daemons.context("without daemons there is no link")?;
    let canaries = serve_canaries(&sites.red[1], FAR, &scene.dir)?;
    Ok(Running { near, far, canaries, capture })
}

fn carry(report: &mut Report, sites: &Sites, scene: &Scene) {
    report.line("canaries pass: TCP, UDP, DNS, ICMP, IPv4 and IPv6", "the far side", || {
        ensure!(send_canaries(&sites.red[0], FAR)?, "TCP does not connect");
        let all = until(Duration::from_secs(10), || received(&scene.dir).len() == 5);
        let came = received(&scene.dir);
        ensure!(all, "only {came:?} arrived");
        Ok(came.join(", "))
    });
    report.line("iperf3 runs through the link", "iperf3", || {
        let server = Background::start(&scene.dir, "iperf3", &sites.red[1].command(&["iperf3", "-s"]))?;
        // less than tcpdump has room for: it must lose nothing
        let words = ["iperf3", "-c", FAR[0], "-J", "-n", "150M"];
        let ran = (0..20).find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(300));
            sites.red[0].run(&words).ok()
        });
        server.stop()?;
        let said: serde_json::Value = serde_json::from_str(&ran.context("iperf3 does not get through")?)?;
        let bits = said["end"]["sum_received"]["bits_per_second"].as_f64().context("iperf3 counts nothing")?;
        Ok(format!("{:.2} Gbit/s", bits / 1e9))
    });
}

fn finish(report: &mut Report, sites: &mut Sites, scene: &Scene, running: Running) -> Result<()> {
    if scene.keep {
        sites.red.iter_mut().chain(&mut sites.black).for_each(|n| n.keep());
        running.canaries.stop()?;
    } else {
        for process in [&running.near, &running.far, &running.canaries] {
            process.stop()?;
        }
        report.line("after the end red has no way out", "ping", || {
            ensure!(!send_canaries(&sites.red[0], FAR)?, "canaries left without a daemon");
            Ok("no route, no packet".into())
        });
    }
    let seen = judge(&running.capture.finish()?)?;
    report.line("the black wire, all that time: TLS and ESP only", "tcpdump", || black(&seen));
    report.line("the black wire, all that time: no canary", "grep", || {
        ensure!(seen.canaries.is_empty(), "seen in the clear: {:?}", seen.canaries);
        Ok("none of their bytes".into())
    });
    Ok(())
}

fn black(seen: &Seen) -> Result<String> {
    ensure!(seen.strangers.is_empty(), "{} strangers, the first: {}", seen.strangers.len(), seen.strangers[0]);
    ensure!(seen.esp > 0 && seen.tls > 0, "nothing was captured");
    let unheard = match seen.unheard {
        0 => String::new(),
        n => format!(", {n} ICMP that no daemon heard it"),
    };
    Ok(format!("{} ESP, {} TLS{unheard}, nothing else but ARP and ND", seen.esp, seen.tls))
}
