//! Network namespaces, the wire between two of them, and tcpdump on it. Every name starts with the owner's prefix, and what
//! was made is removed on drop.

use crate::background::{Background, until};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// A network namespace; removed on drop with every interface in it.
pub struct Namespace {
    name: String,
    keep: bool,
}

impl Namespace {
    /// Makes the namespace anew; one of that name left by an earlier run goes first.
    pub fn make(name: &str) -> Result<Self> {
        Self::remove(name);
        ip(&["netns", "add", name])?;
        let made = Self { name: name.to_owned(), keep: false };
        made.run(&["ip", "link", "set", "lo", "up"])?;
        Ok(made)
    }

    /// Removes a namespace if there is one of this name.
    pub fn remove(name: &str) {
        Command::new("ip").args(["netns", "del", name]).stderr(Stdio::null()).status().ok();
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Leaves it standing on drop.
    pub fn keep(&mut self) {
        self.keep = true;
    }

    /// A command inside.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut c = Command::new("ip");
        c.args(["netns", "exec", &self.name]).args(words);
        c
    }

    /// Runs a command inside; it must end well.
    pub fn run(&self, words: &[&str]) -> Result<String> {
        good(&mut self.command(words))
    }

    /// Runs a command inside; how it ends is for the caller to judge.
    pub fn attempt(&self, words: &[&str]) -> Result<Output> {
        let mut c = self.command(words);
        c.stdin(Stdio::null()).output().with_context(|| format!("cannot start {words:?}"))
    }

    /// Does one `ping` come back within two seconds?
    pub fn reaches(&self, address: &str) -> bool {
        self.attempt(&["ping", "-c", "1", "-W", "2", address]).is_ok_and(|out| out.status.success())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if !self.keep {
            Self::remove(&self.name);
        }
    }
}

/// Joins two namespaces by a veth pair; each end is called `device` and gets one address (`10.0.0.1/24`).
pub fn wire(a: (&Namespace, &str), b: (&Namespace, &str), device: &str) -> Result<()> {
    let (from, to) = (a.0.name(), b.0.name());
    ip(&["link", "add", device, "netns", from, "type", "veth", "peer", "name", device, "netns", to])?;
    for (end, address) in [a, b] {
        end.run(&["ip", "address", "add", address, "dev", device])?;
        end.run(&["ip", "link", "set", device, "up"])?;
    }
    Ok(())
}

/// tcpdump on one device, from [`Capture::start`] to [`Capture::finish`].
pub struct Capture {
    process: Background,
    file: PathBuf,
    log: PathBuf,
}

impl Capture {
    /// Starts it and waits until it listens.
    pub fn start(at: &Namespace, device: &str, dir: &Path, name: &str) -> Result<Self> {
        let file = dir.join(format!("{name}.pcap"));
        let target = file.to_string_lossy().into_owned();
        // -U writes each packet at once; as root tcpdump would drop to a user that cannot write here; -B is KiB for what it
        // has not read yet
        let words = ["tcpdump", "-i", device, "-B", "262144", "-U", "-n", "-Z", "root", "-w", &target];
        let command = at.command(&words);
        let process = Background::start(dir, name, &command)?;
        let log = dir.join(format!("{name}.log"));
        let listens = || std::fs::read_to_string(&log).is_ok_and(|text| text.contains("listening on"));
        if !until(Duration::from_secs(10), listens) {
            bail!("tcpdump does not listen; see {}", log.display());
        }
        Ok(Self { process, file, log })
    }

    /// Ends it; the file holds everything that passed: what tcpdump lost would be no proof that it was not there.
    pub fn finish(self) -> Result<PathBuf> {
        let size = || std::fs::metadata(&self.file).map_or(0, |m| m.len());
        let written = until(Duration::from_secs(60), || {
            let before = size();
            // the kernel hands packets over in blocks; give it the time to hand over the last one
            std::thread::sleep(Duration::from_millis(1500));
            size() == before
        });
        self.process.stop()?;
        if !written {
            bail!("tcpdump does not come to an end with {}", self.file.display());
        }
        let said = std::fs::read_to_string(&self.log)?;
        if !said.contains("\n0 packets dropped by kernel") {
            bail!("tcpdump lost packets: {said}");
        }
        Ok(self.file)
    }
}

/// How many packets of a capture match a filter, as tcpdump counts them.
pub fn count(capture: &Path, filter: &str) -> Result<usize> {
    let mut c = Command::new("tcpdump");
    c.args(["-n", "-r"]).arg(capture).arg(filter);
    Ok(good(&mut c)?.lines().count())
}

/// Packets of a capture that match a filter, as tcpdump prints them.
pub fn lines(capture: &Path, filter: &str) -> Result<Vec<String>> {
    let mut c = Command::new("tcpdump");
    c.args(["-n", "-r"]).arg(capture).arg(filter);
    Ok(good(&mut c)?.lines().map(str::to_owned).collect())
}

fn ip(words: &[&str]) -> Result<String> {
    good(Command::new("ip").args(words))
}

fn good(command: &mut Command) -> Result<String> {
    let out = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {command:?}"))?;
    if !out.status.success() {
        bail!("{command:?} ended with {}: {}", out.status, String::from_utf8_lossy(&out.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}
