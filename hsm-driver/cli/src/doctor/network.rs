//! The way to an appliance or a board: files, name, port, TLS.

use super::{Report, both, files};
use coloa_client::config::Network;
use coloa_client::network::probe::{self, Handshake};
use std::net::SocketAddr;
use std::time::Duration;

/// Patience for one step; a module waits for its whole deadline.
const STEP: Duration = Duration::from_secs(10);

pub(super) fn examine(report: &mut Report<'_>, network: &Network, deadline: Duration) -> bool {
    let key = files::key(report, &network.key);
    let certificate = files::certificates(report, &network.certificate);
    let ca = files::certificates(report, &network.ca);
    let addresses = addresses(report, network, deadline.min(STEP));
    if !(key && certificate && ca) || addresses.is_empty() {
        return false;
    }
    let shaken: Vec<_> =
        addresses.iter().map(|address| handshake(report, network, *address, deadline.min(STEP))).collect();
    shaken.into_iter().any(|good| good)
}

fn addresses(report: &mut Report<'_>, network: &Network, within: Duration) -> Vec<SocketAddr> {
    match probe::resolve(network, within) {
        Ok(found) if !found.is_empty() => {
            let list = found.iter().map(|a| a.ip().to_string()).collect::<Vec<_>>().join(", ");
            report.good("name", (format!("resolves to {list}."), format!("phân giải thành {list}.")));
            found
        }
        other => {
            let why = other.err().map_or_else(|| "it has no address".into(), |why| why.to_string());
            report.fail(
                "name",
                (
                    format!("cannot be resolved: {why}. Check `address` and the name service (/etc/resolv.conf)."),
                    format!("không phân giải được: {why}. Kiểm tra `address` và máy chủ tên (/etc/resolv.conf)."),
                ),
            );
            Vec::new()
        }
    }
}

fn handshake(report: &mut Report<'_>, network: &Network, address: SocketAddr, within: Duration) -> bool {
    match probe::shake_hands(network, address, within) {
        Err(error) => {
            report.fail("port and TLS", both(|language| error.explain(language)));
            false
        }
        Ok(Handshake { connected, secured, suite, group, chain }) => {
            let times = format!("TCP {} ms, TLS {} ms", connected.as_millis(), secured.as_millis());
            report.good(
                "port and TLS",
                (format!("{address}, {suite}, {group}; {times}."), format!("{address}, {suite}, {group}; {times}.")),
            );
            chain.first().is_none_or(|certificate| files::dates(report, "the server's certificate", certificate))
        }
    }
}
