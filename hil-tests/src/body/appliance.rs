//! coload on loopback, administered by `coloa`, reached over TLS 1.3.

use super::{Home, free_port};
use crate::background::{Background, until};
use crate::built;
use crate::target::{LABEL, Need, SO_PIN, Target, USER_PIN};
use anyhow::{Context, Result, bail, ensure};
use std::ffi::OsString;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long a start may take on a busy machine.
const START: Duration = Duration::from_secs(60);
const PROCESS: &str = "coload";

/// An appliance with its store in a folder.
pub struct Appliance {
    home: Home,
    module: PathBuf,
    port: u16,
    process: Option<Background>,
}

impl Appliance {
    /// A new appliance with the token [`LABEL`], which goes with its target.
    pub fn start() -> Result<Self> {
        Self::with_token(Home::passing()?)
    }

    /// The appliance of this folder with the token [`LABEL`] in a compatible partition, made if need be.
    pub fn with_token(home: Home) -> Result<Self> {
        let appliance = Self::start_in(home)?;
        if !appliance.client(LABEL).exists() {
            appliance.make_partition(LABEL, "compatible")?;
        }
        Ok(appliance)
    }

    /// The appliance of this folder, initialised if it is new; it keeps its port.
    pub fn start_in(home: Home) -> Result<Self> {
        let dir = home.path();
        let port_file = dir.join("port");
        let known = std::fs::read_to_string(&port_file).ok().and_then(|text| text.trim().parse().ok());
        let port = known.map_or_else(free_port, Ok)?;
        std::fs::write(&port_file, port.to_string())?;
        let conf = format!(
            "directory = \"data\"\nlisten = \"127.0.0.1:{port}\"\nserver_names = [\"localhost\"]\n\
             admin_socket = \"coload.sock\"\n[limits]\npin_delay_ms = 0\n"
        );
        std::fs::write(dir.join("coload.toml"), conf)?;
        std::fs::write(dir.join("so.pin"), format!("{SO_PIN}\n"))?;
        std::fs::write(dir.join("user.pin"), format!("{USER_PIN}\n"))?;
        let is_new = !dir.join("data").exists();
        let mut appliance = Self { home, module: built::module()?, port, process: None };
        appliance.run(is_new)?;
        Ok(appliance)
    }

    /// Makes a partition with both PINs, and a client that may see it.
    pub fn make_partition(&self, label: &str, mode: &str) -> Result<()> {
        let pins = ["--so-pin-file", "so.pin", "--user-pin-file", "user.pin"];
        self.administer(&[["partition", "create", "--label", label, "--mode", mode].as_slice(), &pins].concat())?;
        self.administer(&[
            "client",
            "enrol",
            "--partition",
            label,
            "--name",
            label,
            "--out",
            &format!("client-{label}"),
        ])?;
        Ok(())
    }

    /// Runs `coloa` on the local socket; what it printed.
    pub fn administer(&self, words: &[&str]) -> Result<String> {
        let mut coloa = Command::new(built::program("coloa")?);
        coloa.arg("--socket").arg(self.socket()).args(words).current_dir(self.home.path());
        let out = coloa.output().context("cannot start coloa")?;
        if !out.status.success() {
            bail!("coloa {}: {}", words.join(" "), String::from_utf8_lossy(&out.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    }

    /// The environment of the client that may see this partition.
    pub fn environment_of(&self, label: &str) -> Vec<(OsString, OsString)> {
        vec![("COLOA_CONF".into(), self.client(label).into())]
    }

    /// Where its TLS is served.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process.
    pub fn pid(&self) -> Result<u32> {
        Ok(self.process.as_ref().context("coload does not run")?.pid())
    }

    /// Memory that its process has now.
    pub fn resident_kib(&self) -> Result<u64> {
        let pid = self.pid()?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        line.trim().trim_end_matches(" kB").parse().with_context(|| format!("VmRSS {line}"))
    }

    /// The configuration of the client that may see this partition.
    pub fn client(&self, label: &str) -> PathBuf {
        self.home.path().join(format!("client-{label}/coloa.toml"))
    }

    fn socket(&self) -> PathBuf {
        self.home.path().join("coload.sock")
    }

    fn run(&mut self, is_new: bool) -> Result<()> {
        let dir = self.home.path();
        std::fs::remove_file(self.socket()).ok();
        let mut coload = Command::new(built::program("coload")?);
        coload.arg("--config").arg(dir.join("coload.toml"));
        let process = Background::start(dir, PROCESS, &coload)?;
        let up = until(START, || self.socket().exists() || !process.runs());
        self.process = Some(process.clone());
        ensure!(up && process.runs(), "coload does not start: {}", self.log());
        if is_new {
            self.administer(&["init", "--label", "rack-1"])?;
        }
        let serves = until(START, || TcpStream::connect(("127.0.0.1", self.port)).is_ok() || !process.runs());
        ensure!(serves && process.runs(), "coload does not serve: {}", self.log());
        Ok(())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join(format!("{PROCESS}.log"))).unwrap_or_default()
    }
}

impl Target for Appliance {
    fn name(&self) -> &'static str {
        "appliance"
    }

    fn module(&self) -> &Path {
        &self.module
    }

    fn environment(&self) -> Vec<(OsString, OsString)> {
        self.environment_of(LABEL)
    }

    fn restart(&mut self) -> Result<()> {
        let process = self.process.take();
        ensure!(process.as_ref().is_some_and(Background::runs), "coload died before it was killed: {}", self.log());
        process.iter().try_for_each(Background::kill)?;
        self.run(false)
    }

    fn lacks(&self, need: Need) -> Option<&'static str> {
        match need {
            Need::Bulk | Need::P384 | Need::Lockout => None,
            Need::Server | Need::Processes | Need::LiveView | Need::HashedEcdsa | Need::Fork => None,
            Need::Clients | Need::Clock => None,
        }
    }
}

impl Drop for Appliance {
    fn drop(&mut self) {
        if let (Home::Passing(_), Some(process)) = (&self.home, &self.process) {
            process.kill().ok();
        }
    }
}
