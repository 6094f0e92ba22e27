//! What the product is asked for, beside what was measured.

use super::many::{OPENED, STARTED};
use super::results::Results;
use super::{away, flood, limit, link, storm};

const SOFTHSM: &str = "SoftHSM2";
const KRYOPTIC: &str = "Kryoptic";
const APPLIANCE: &str = "appliance";
const EMBEDDED: &str = "embedded";
const P256: &str = "ecdsa-p256-sign";
const GCM_1K: &str = "aes256-gcm-1k";
const GCM_16K: &str = "aes256-gcm-16k";
const FOUND: &str = "find-1-of-100000";

/// A figure must be so high, or so low.
#[derive(Clone, Copy)]
pub enum Bound {
    /// Or higher.
    AtLeast(f64),
    /// Or lower.
    AtMost(f64),
}

impl Bound {
    /// Is this enough?
    pub fn holds(self, figure: f64) -> bool {
        match self {
            Bound::AtLeast(least) => figure >= least,
            Bound::AtMost(most) => figure <= most,
        }
    }
}

/// One thing asked for.
pub struct Asked {
    /// In words.
    pub says: String,
    /// What is enough.
    pub bound: Bound,
    /// What was measured, if it was.
    pub figure: Option<f64>,
}

/// Everything that is asked for.
pub fn all(results: &Results) -> Vec<Asked> {
    let rates = [
        (P256, APPLIANCE, SOFTHSM, 2.8),
        (P256, EMBEDDED, SOFTHSM, 5.0),
        ("ecdsa-p384-sign", APPLIANCE, KRYOPTIC, 2.4),
        ("ecdsa-p384-sign", EMBEDDED, KRYOPTIC, 3.0),
        ("ed25519-sign", APPLIANCE, KRYOPTIC, 7.0),
        ("ed25519-sign", EMBEDDED, KRYOPTIC, 15.0),
        ("rsa2048-sign", APPLIANCE, SOFTHSM, 1.8),
        ("rsa2048-sign", EMBEDDED, SOFTHSM, 2.0),
        ("ml-dsa-65-sign", APPLIANCE, KRYOPTIC, 6.0),
        (GCM_1K, APPLIANCE, SOFTHSM, 1.6),
        (GCM_1K, EMBEDDED, SOFTHSM, 10.0),
        (GCM_16K, APPLIANCE, SOFTHSM, 0.9),
        (GCM_16K, EMBEDDED, SOFTHSM, 8.0),
        ("genkey-p256", APPLIANCE, SOFTHSM, 1.5),
        ("genkey-p256", EMBEDDED, SOFTHSM, 1.5),
    ];
    let beside = rates.iter().flat_map(|(what, body, peer, least)| {
        // the embedded body on as many threads as there are cores; an appliance has more callers than that
        let threads: &[usize] = if *body == EMBEDDED { &[2] } else { &[8, 32] };
        threads.iter().map(|threads| rate(results, (what, body, *threads), peer, *least))
    });
    beside.chain(slowed_by_threads(results)).chain(others(results)).chain(of_the_link(results)).collect()
}

/// A rate as a ratio to the best that a peer does on any number of threads.
fn rate(results: &Results, (what, body, threads): (&str, &str, usize), peer: &str, least: f64) -> Asked {
    Asked {
        says: format!("{what}, {body}, {threads} threads: times {peer}'s best"),
        bound: Bound::AtLeast(least),
        figure: ratio(results.figure(what, body, threads), results.best(what, peer)),
    }
}

/// Nothing is slower on 32 threads than on one.
fn slowed_by_threads(results: &Results) -> impl Iterator<Item = Asked> {
    let operations = [P256, "ecdsa-p384-sign", "ed25519-sign", "rsa2048-sign", "ml-dsa-65-sign", GCM_1K, GCM_16K];
    let more = ["genkey-p256", FOUND];
    let pairs = operations.into_iter().chain(more).flat_map(|what| [(what, APPLIANCE), (what, EMBEDDED)]);
    pairs.map(|(what, body)| Asked {
        says: format!("{what}, {body}: 32 threads to one"),
        bound: Bound::AtLeast(1.0),
        figure: ratio(results.figure(what, body, 32), results.figure(what, body, 1)),
    })
}

fn others(results: &Results) -> impl Iterator<Item = Asked> {
    let at = |what: &str, body: &str, threads| results.figure(what, body, threads);
    let token = "genkey-p256-token";
    let alone = at(P256, limit::NAME, 1).map(|rate| 1e6 / rate);
    let above = results.p50(P256, APPLIANCE, 1).zip(alone).map(|(p50, alone)| p50 - alone);
    let overlap = ratio(at("ecdsa-p256-sign-overlap", APPLIANCE, 1), at(P256, APPLIANCE, 1));
    let across = ratio(at("ecdsa-p256-sign-overlap", away::NAME, 1), at(P256, away::NAME, 1));
    let list = [
        ("one caller alone, appliance: µs above the P-256 signature at p50", Bound::AtMost(60.0), above),
        (
            "one thread with 32 P-256 signatures under way, appliance: times its synchronous rate",
            Bound::AtLeast(4.0),
            overlap,
        ),
        ("the same, 0.5 ms of network away", Bound::AtLeast(4.0), across),
        (
            "finding 1 of 100,000 by label, appliance, 8 threads: a second",
            Bound::AtLeast(50e3),
            at(FOUND, APPLIANCE, 8),
        ),
        ("finding 1 of 100,000 by label, embedded, 8 threads: a second", Bound::AtLeast(50e3), at(FOUND, EMBEDDED, 8)),
        ("opening a session on 100,000 objects, appliance: ms", Bound::AtMost(20.0), at(OPENED, APPLIANCE, 1)),
        ("opening a session on 100,000 objects, embedded: ms", Bound::AtMost(20.0), at(OPENED, EMBEDDED, 1)),
        ("the same from C_Initialize on, appliance: ms", Bound::AtMost(20.0), at(STARTED, APPLIANCE, 1)),
        ("the same from C_Initialize on, embedded: ms", Bound::AtMost(20.0), at(STARTED, EMBEDDED, 1)),
        (
            "durable key pairs, appliance: 8 threads to one",
            Bound::AtLeast(5.0),
            ratio(at(token, APPLIANCE, 8), at(token, APPLIANCE, 1)),
        ),
        (
            "durable key pairs, embedded: 8 threads to one",
            Bound::AtLeast(5.0),
            ratio(at(token, EMBEDDED, 8), at(token, EMBEDDED, 1)),
        ),
        (
            "resident memory of the appliance with 100,000 keys: MB",
            Bound::AtMost(400.0),
            at("resident-memory", APPLIANCE, 1),
        ),
    ];
    list.into_iter().map(|(says, bound, figure)| Asked { says: says.to_owned(), bound, figure })
}

/// What passes the link, as a ratio to what passes others on the same two cores.
fn of_the_link(results: &Results) -> impl Iterator<Item = Asked> {
    let (openvpn, wireguard) = ("OpenVPN", "wireguard-go");
    let more = [
        (link::TCP, 1, openvpn, Bound::AtLeast(6.0)),
        (link::TCP, 1, wireguard, Bound::AtLeast(10.0)),
        (link::TCP, 1, link::CLEARTEXT, Bound::AtLeast(0.5)),
        (link::TCP, 4, openvpn, Bound::AtLeast(7.0)),
        (link::TCP, 4, wireguard, Bound::AtLeast(10.0)),
        (link::TCP_CUT, 1, openvpn, Bound::AtLeast(3.5)),
        (link::UDP, 1, openvpn, Bound::AtLeast(2.5)),
        (link::LATENCY, 1, openvpn, Bound::AtMost(1.5)),
    ];
    let ratios = more.map(|(what, streams, peer, bound)| Asked {
        says: format!("link: {what}, {streams}: times {peer}"),
        bound,
        figure: ratio(results.figure(what, link::OURS, streams), results.figure(what, peer, streams)),
    });
    let alone = [
        (link::CPU, "CPU seconds for a GB", 1.3),
        (link::MEMORY, "MB", 20.0),
        (flood::LOST, "%", 5.0),
        (storm::WALL, "s", 10.0),
        (storm::CPU, "s", 5.0),
        (storm::IDLE, "% of a core", 2.0),
        (storm::MEMORY, "KB", 64.0),
    ];
    let absolute = alone.map(|(what, unit, most)| Asked {
        says: format!("link: {what}: {unit}"),
        bound: Bound::AtMost(most),
        figure: results.figure(what, link::OURS, 1),
    });
    ratios.into_iter().chain(absolute)
}

fn ratio(of: Option<f64>, to: Option<f64>) -> Option<f64> {
    Some(of? / to?)
}

#[cfg(test)]
mod tests {
    use super::super::results::{Measured, Measurement, Origin, Results};
    use super::*;
    use coloa_xtask::stand::Part;

    fn measured(of: &[(&str, usize, &str, f64)]) -> Results {
        let new = |(what, threads, contender, figure): &(&str, usize, &str, f64)| {
            let figures = vec![*figure];
            Measurement { figures, ..Measurement::new(what, *threads, contender, "1/s") }
        };
        let origin = Origin {
            date: String::new(),
            commit: String::new(),
            processor: String::new(),
            cores: 2,
            seconds: 1,
            rounds: 1,
        };
        let mut results = Results::default();
        results.put(Part::Operations, Measured { origin, measurements: of.iter().map(new).collect() });
        results
    }

    #[test]
    fn a_rate_is_beside_the_best_of_the_peer() {
        let results = measured(&[(P256, 8, APPLIANCE, 60.0), (P256, 1, SOFTHSM, 10.0), (P256, 8, SOFTHSM, 20.0)]);
        let first = all(&results).into_iter().next().unwrap();
        assert_eq!(first.figure, Some(3.0), "{}", first.says);
        assert!(first.bound.holds(3.0) && !first.bound.holds(2.7));
    }

    #[test]
    fn what_was_not_measured_has_no_figure() {
        assert!(all(&Results::default()).iter().all(|asked| asked.figure.is_none()));
    }
}
