//! Namespaces with names of our own, removed at the end, and the wire between the black ones.

use std::fs::File;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Runs a program to its end; it must exist.
pub fn run(program: &str, words: &[&str]) -> Output {
    let output = Command::new(program).args(words).stdin(Stdio::null()).output();
    output.unwrap_or_else(|e| panic!("{program} is needed for this test: {e}"))
}

/// Runs a program to its end; it must succeed.
pub fn good(program: &str, words: &[&str]) -> String {
    let output = run(program, words);
    assert!(output.status.success(), "{program} {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Waits until `holds`, for a generous while.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(40);
    while !holds() {
        assert!(Instant::now() < end, "it never came to this: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A network namespace that is ours.
pub struct Namespace(pub String);

impl Namespace {
    pub fn make(role: &str) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("clt{}-{number}-{role}", std::process::id());
        good("ip", &["netns", "add", &name]);
        let made = Self(name);
        // Only IPv4 on black, so that what the capture holds can be told in one line; red's TUN gets IPv6 of its own.
        if role.starts_with("black") {
            for which in ["all", "default"] {
                let switch = format!("/proc/sys/net/ipv6/conf/{which}/disable_ipv6");
                made.good("bash", &["-c", &format!("echo 1 > {switch}")]);
            }
        }
        made.good("ip", &["link", "set", "lo", "up"]);
        made
    }

    /// A command inside.
    pub fn command(&self, program: &str, words: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0, program]).args(words).stdin(Stdio::null());
        command
    }

    /// Runs a program inside; it must succeed.
    pub fn good(&self, program: &str, words: &[&str]) -> String {
        good("ip", &[&["netns", "exec", &self.0, program], words].concat())
    }

    /// Whether a program inside succeeds.
    pub fn succeeds(&self, program: &str, words: &[&str]) -> bool {
        run("ip", &[&["netns", "exec", &self.0, program], words].concat()).status.success()
    }

    /// Runs `work` on a thread inside.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let file = File::open(format!("/run/netns/{}", self.0)).expect("our namespace");
                let network = rustix::thread::LinkNameSpaceType::Network;
                rustix::thread::move_into_link_name_space(std::os::fd::AsFd::as_fd(&file), Some(network))
                    .expect("setns");
                work()
            });
            thread.join().expect("the work inside")
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        run("ip", &["netns", "del", &self.0]);
    }
}

/// Site a and site b, each with its red and black namespace, and the black wire between them.
pub struct Network {
    pub red: [Namespace; 2],
    pub black: [Namespace; 2],
}

/// Black addresses of both sites.
pub const BLACK: [&str; 2] = ["192.0.2.1", "192.0.2.2"];
/// Red addresses of both sites' TUN interfaces.
pub const RED_V4: [&str; 2] = ["10.71.0.1", "10.72.0.1"];
/// The same for IPv6.
pub const RED_V6: [&str; 2] = ["fd71::1", "fd72::1"];

impl Network {
    pub fn make() -> Self {
        let [red_a, red_b, black_a, black_b] = ["red-a", "red-b", "black-a", "black-b"].map(Namespace::make);
        let ends = [black_a.0.as_str(), black_b.0.as_str()];
        good(
            "ip",
            &["link", "add", "wire", "netns", ends[0], "type", "veth", "peer", "name", "wire", "netns", ends[1]],
        );
        for (namespace, address) in [&black_a, &black_b].into_iter().zip(BLACK) {
            namespace.good("ip", &["address", "add", &format!("{address}/24"), "dev", "wire"]);
            namespace.good("ip", &["link", "set", "wire", "up"]);
        }
        Self { red: [red_a, red_b], black: [black_a, black_b] }
    }

    /// Whether a ping from site a's red side is answered by site b's within a second.
    pub fn pings(&self) -> bool {
        self.red[0].succeeds("ping", &["-c", "1", "-W", "1", RED_V4[1]])
    }
}
