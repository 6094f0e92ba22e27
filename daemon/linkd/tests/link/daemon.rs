//! A running daemon, ended with its value, and its configuration.

use std::fs::{self, File};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::authority::{Authority, LINKD, MODULE};
use crate::network::{BLACK, Network, RED_V4, RED_V6, eventually};

/// The index of a site in the network's arrays.
pub fn index(site: &str) -> usize {
    usize::from(site == "b")
}

/// A valid configuration of site a or b.
pub fn config(authority: &Authority, network: &Network, site: &str) -> String {
    let (own, other) = (index(site), 1 - index(site));
    let peer = ["a", "b"][other];
    format!(
        "state_dir = \"state-{site}\"\n\
         [red]\nnamespace = \"{red}\"\naddresses = [\"{v4}/24\", \"{v6}/64\"]\n\
         [black]\nnamespace = \"{black}\"\nlisten = \"{listen}:4500\"\n\
         [token]\nmodule = \"{MODULE}\"\nlabel = \"{site}\"\nkey = \"link\"\npin_file = \"pin\"\n\
         [identity]\ncertificate = \"{site}.pem\"\ntrust_anchors = \"root.pem\"\n\
         [policy]\nbundle = \"policy.bundle\"\nauthority = \"policy.pem\"\n\
         [[peer]]\nsite = \"{peer}\"\nendpoint = \"{endpoint}:4500\"\n\
         [metrics]\nlisten = \"{socket}\"\n",
        red = network.red[own].0,
        black = network.black[own].0,
        v4 = RED_V4[own],
        v6 = RED_V6[own],
        listen = BLACK[own],
        endpoint = BLACK[other],
        socket = authority.text_path(&format!("{site}.sock")),
    )
}

/// A configuration of site a that knows no peer's address: a hub that only accepts.
pub fn hub_config(authority: &Authority, network: &Network) -> String {
    let whole = config(authority, network, "a");
    let (before, rest) = whole.split_once("[[peer]]").expect("a peer");
    let (_, after) = rest.split_once("[metrics]").expect("metrics");
    format!("{before}[metrics]{after}")
}

/// A daemon in the background.
pub struct Daemon {
    child: Child,
    log: String,
    config: String,
}

impl Daemon {
    /// Starts site a or b with this configuration.
    pub fn start(authority: &Authority, site: &str, config: &str) -> Self {
        let (path, log) = (format!("{site}.toml"), authority.text_path(&format!("{site}.log")));
        authority.write(&path, config);
        let config = authority.text_path(&path);
        let file = File::create(&log).expect("log");
        let mut command = Command::new(LINKD);
        command.args(["run", "--config", &config]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        // For a token of our own, where there is one.
        command.env("COLOA_CONF", authority.path("coloa.toml"));
        let child = authority.with_token(site, &mut command).spawn().expect("coloa-linkd");
        Self { child, log, config }
    }

    /// What it has written.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until the log holds this.
    pub fn says(&self, what: &str) {
        let mut seen = String::new();
        let end = Instant::now() + Duration::from_secs(40);
        while !seen.contains(what) {
            assert!(Instant::now() < end, "the log never said `{what}`:\n{seen}");
            std::thread::sleep(Duration::from_millis(50));
            seen = self.log();
        }
    }

    /// `coloa-linkd status` of it.
    pub fn status(&self, words: &[&str]) -> Output {
        Command::new(LINKD).args(["status", "--config", &self.config]).args(words).output().expect("status")
    }

    /// Waits until every link of it encrypts.
    pub fn encrypts(&self) {
        eventually("all links encrypt", || self.status(&[]).status.success());
    }

    /// Its status as words in English.
    pub fn words(&self) -> String {
        String::from_utf8_lossy(&self.status(&["--lang", "en"]).stdout).into_owned()
    }

    /// Waits for its end and returns its exit code.
    pub fn ends(&mut self) -> Option<i32> {
        let mut status = None;
        eventually("the daemon ends", || {
            status = self.child.try_wait().expect("wait");
            status.is_some()
        });
        status.and_then(|s| s.code())
    }

    /// The daemon's process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// The process that holds the key.
    pub fn keyholder(&self) -> i32 {
        let parent = format!("PPid:\t{}\n", self.process());
        let is_child =
            |pid: &i32| fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| status.contains(&parent));
        let all = fs::read_dir("/proc").expect("proc").flatten();
        all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(is_child).expect("one child")
    }

    /// Makes the process that holds the key hang, as a token may.
    pub fn stop_keyholder(&self) {
        self.signal_keyholder(rustix::process::Signal::STOP);
    }

    /// Ends it, as a module that crashes does.
    pub fn kill_keyholder(&self) {
        self.signal_keyholder(rustix::process::Signal::KILL);
    }

    fn signal_keyholder(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.keyholder()).expect("a process");
        rustix::process::kill_process(pid, signal).expect("a signal");
    }

    /// SIGHUP: look at the files again.
    pub fn hang_up(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).expect("kill");
    }

    /// SIGTERM, as systemd does it.
    pub fn terminate(&mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("kill");
        self.ends()
    }

    /// SIGKILL: no goodbye.
    pub fn kill(&mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Both daemons, encrypting.
pub fn both(authority: &Authority, network: &Network) -> [Daemon; 2] {
    let daemons = ["a", "b"].map(|site| Daemon::start(authority, site, &config(authority, network, site)));
    daemons.iter().for_each(Daemon::encrypts);
    daemons
}
