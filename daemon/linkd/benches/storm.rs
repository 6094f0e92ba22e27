//! The storm: 3,355 sites dial one hub at once, each with a certificate of its own and a full handshake. Prints what that
//! costs the hub, what the links cost afterwards, and how it fares under a flood of connections that say nothing.
//!
//! `cargo bench -p coloa-linkd --bench storm [-- SITES]`, as root, with SoftHSM2 and OpenSSL; namespaces of its own. The hub's
//! key is in SoftHSM2, or in our own embedded token where `COLOA_STORM_MODULE` names `libcoloa_pkcs11.so` (then pkcs11-tool
//! is needed as well). All keys are on P-384.

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/link/authority.rs"]
mod authority;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/link/daemon.rs"]
mod daemon;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/link/network.rs"]
mod network;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/link/sites.rs"]
mod sites;

use std::sync::Arc;
use std::time::{Duration, Instant};

use authority::{Authority, MODULE};
use daemon::{Daemon, hub_config};
use network::{Network, eventually, good};
use sites::{Joined, Site};
use tokio::task::JoinSet;

/// Names our PKCS#11 module, for the hub's key to be in our token.
const OUR_MODULE: &str = "COLOA_STORM_MODULE";
const OWN_PIN: &str = "123456";
/// Communes and provinces that one hub must hold.
const SITES: usize = 3355;
/// Links whose coming up is timed one by one, first and last.
const SINGLE: usize = 20;
/// How long idle links are watched.
const IDLE: Duration = Duration::from_secs(45);
/// Connections of the flood that are open at once, each from an address of its own.
const FLOOD: usize = 6000;

fn main() {
    let given = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let count: usize = given.unwrap_or(SITES).max(3 * SINGLE);
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let all = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, all).expect("file descriptors");

    let (authority, network) = (Authority::make(), Network::make());
    println!("making {count} keys and certificates");
    let sites = sites::make(&authority, count);
    let far = sites::far_end(&network);
    let mut config = hub_config(&authority, &network);
    if let Some(module) = std::env::var_os(OUR_MODULE) {
        let module = module.into_string().expect("a path in UTF-8");
        own_token(&authority, &module);
        config = config.replace(MODULE, &module).replace("\"pin\"", "\"own-pin\"");
        println!("the hub's key is in our embedded token");
    }
    let hub = Daemon::start(&authority, "a", &config);
    eventually("the hub is there", || hub.words().contains("blocked"));
    let hub = Hub { daemon: hub };

    let (first, rest) = sites.split_at(SINGLE);
    let (storm, last) = rest.split_at(rest.len() - SINGLE);
    let mut up = far.run(one_by_one(&hub, "first", first));
    let before = hub.memory();
    let (joined, wall, cpu) = far.run(all_at_once(&hub, storm));
    up.extend(joined);
    let grown = hub.memory().saturating_sub(before);
    let memory = grown / storm.len() as u64;
    println!("memory: {memory} KB for each further link");
    up.extend(far.run(one_by_one(&hub, "last", last)));
    let share = far.run(idle(&hub, &mut up));
    far.run(flood(&hub, &mut up, &sites));
    let wall = wall.as_secs_f64();
    println!("{{\"wall_s\":{wall:.3},\"cpu_s\":{cpu:.2},\"idle_percent\":{share:.3},\"memory_kb\":{memory}}}");
}

/// Puts the hub's key into an embedded token of our own, which this process and its children find by their environment.
fn own_token(authority: &Authority, module: &str) {
    let store = authority.text_path("own-store");
    let configuration = format!("[[token]]\nbody = \"embedded\"\ndirectory = \"{store}\"\nmode = \"compatible\"\n");
    authority.write("coloa.toml", &configuration);
    authority.write("own-pin", OWN_PIN);
    let key = authority.text_path("a.der");
    good(
        "openssl",
        &["pkcs8", "-topk8", "-nocrypt", "-in", &authority.text_path("a.key"), "-outform", "DER", "-out", &key],
    );
    let conf = format!("COLOA_CONF={}", authority.text_path("coloa.toml"));
    let so = ["--so-pin", "12345678"];
    let init = ["--init-token", "--slot-index", "0", "--label", "a"];
    let pin = ["--init-pin", "--token-label", "a", "--login", "--new-pin", OWN_PIN];
    let login = ["--token-label", "a", "--login", "--pin", OWN_PIN, "--usage-sign"];
    let import = ["--write-object", &key, "--type", "privkey", "--label", "link", "--id", "01"];
    for words in [[&init[..], &so].concat(), [&pin[..], &so].concat(), [&login[..], &import].concat()] {
        good("env", &[&[conf.as_str(), "pkcs11-tool", "--module", module], words.as_slice()].concat());
    }
}

struct Hub {
    daemon: Daemon,
}

impl Hub {
    /// Seconds of CPU that the daemon has used, and those of its keyholder.
    fn cpu(&self) -> (f64, f64) {
        (seconds(self.daemon.process()), seconds(self.daemon.keyholder() as u32))
    }

    /// Resident memory in KB.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.daemon.process())).expect("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

/// User and system time of a process, from the times of its threads as the scheduler counts them.
fn seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("stat");
    let fields: Vec<&str> = stat.rsplit_once(") ").expect("fields").1.split(' ').collect();
    let ticks = |at: usize| fields[at].parse::<f64>().expect("ticks");
    (ticks(11) + ticks(12)) / 100.0
}

async fn one_by_one(hub: &Hub, which: &str, sites: &[Arc<Site>]) -> Vec<Joined> {
    let (mut up, mut times, before) = (Vec::new(), Vec::new(), hub.cpu());
    for site in sites {
        let start = Instant::now();
        up.push(site.join().await.expect("a link"));
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let (daemon, token) = hub.cpu();
    let each = (daemon - before.0 + token - before.1) * 1e3 / sites.len() as f64;
    println!("one link, the {which} {}: median {:.1?}, {each:.1} ms of CPU", sites.len(), times[times.len() / 2]);
    up
}

/// The links, how long they took, and the CPU seconds of the hub with its token.
async fn all_at_once(hub: &Hub, sites: &[Arc<Site>]) -> (Vec<Joined>, Duration, f64) {
    let (start, before, mut joins) = (Instant::now(), hub.cpu(), JoinSet::new());
    for site in sites {
        let site = site.clone();
        joins.spawn(async move { (0..10).try_joined(&site).await });
    }
    let all = joins.join_all().await;
    let (wall, after) = (start.elapsed(), hub.cpu());
    let again: usize = all.iter().map(|(_, attempts)| attempts - 1).sum();
    let up: Vec<_> = all.into_iter().map(|(joined, _)| joined).collect();
    let octets: u64 = up.iter().map(|joined| joined.octets).sum();
    let (daemon, token) = (after.0 - before.0, after.1 - before.1);
    println!(
        "storm: {} links in {wall:.1?}; hub CPU {:.2} s (daemon {daemon:.2}, token {token:.2}); {again} dialled again; \
         {} octets a handshake",
        up.len(),
        daemon + token,
        octets / up.len() as u64
    );
    (up, wall, daemon + token)
}

trait Attempts {
    /// A link, and how many attempts it took.
    async fn try_joined(self, site: &Site) -> (Joined, usize);
}

impl Attempts for std::ops::Range<usize> {
    async fn try_joined(self, site: &Site) -> (Joined, usize) {
        for attempt in self {
            match site.join().await {
                Ok(joined) => return (joined, attempt + 1),
                Err(_) => tokio::time::sleep(Duration::from_millis(250)).await,
            }
        }
        panic!("{} never joined", site.name)
    }
}

/// The links live, as sites keep them: each says so every 30 seconds. What share of a core they cost, in percent.
async fn idle(hub: &Hub, up: &mut [Joined]) -> f64 {
    // What the storm left to do is not idling.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (before, start) = (hub.cpu(), Instant::now());
    let pause = Duration::from_secs(30) / u32::try_from(up.len()).expect("thousands");
    let mut next = tokio::time::Instant::now();
    for number in (0..up.len()).cycle() {
        if start.elapsed() >= IDLE {
            break;
        }
        up[number].is_alive().await.expect("it lives");
        next += pause;
        tokio::time::sleep_until(next).await;
    }
    let used = hub.cpu().0 - before.0;
    let share = used * 100.0 / start.elapsed().as_secs_f64();
    println!("idle: {} links cost {share:.2} % of a core over {:.0?}", up.len(), start.elapsed());
    share
}

/// Connections that say nothing, more than there are places, kept open; then a link comes up and others answer.
async fn flood(hub: &Hub, up: &mut Vec<Joined>, sites: &[Arc<Site>]) {
    let before = hub.cpu().0;
    let mut silent = Vec::new();
    for number in 0..FLOOD {
        silent.push(sites::connect(sites::address(sites.len() + 1 + number)).await.expect("a connection"));
    }
    println!("flood: {FLOOD} silent connections cost {:.2} s of CPU", hub.cpu().0 - before);
    for joined in up.iter_mut().take(SINGLE) {
        joined.is_alive().await.expect("a link under the flood");
    }
    up.extend(one_by_one(hub, "under the flood", &sites[..SINGLE]).await);
    drop(silent);
}
