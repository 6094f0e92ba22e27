//! The firmware image on QEMU's `mps2-an386`, reached over TLS 1.3.

use super::{CONF, Home, initialize, is_initialized};
use crate::background::{Background, until};
use crate::built;
use crate::target::{Need, Target};
use anyhow::{Context, Result, bail, ensure};
use coloa_boardkit::{Firmware, PartitionMode, SERVER_NAME, build_image, command, manufacture};
use std::ffi::OsString;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the board's console says when it serves.
const READY: &str = "serving TLS 1.3";
/// A start takes well under a second; a busy machine may take longer.
const START: Duration = Duration::from_secs(60);
const PROCESS: &str = "qemu";
const CONSOLE: &str = "console.log";

/// A board with its flash in a folder.
pub struct Board {
    home: Home,
    module: PathBuf,
    firmware: Firmware,
    port: u16,
    process: Option<Background>,
}

impl Board {
    /// A new board that goes with its target.
    pub fn start() -> Result<Self> {
        Self::start_in(Home::passing()?)
    }

    /// The board of this folder, made if need be.
    pub fn start_in(home: Home) -> Result<Self> {
        let dir = home.path().to_owned();
        let firmware = build_image()?;
        if !dir.join("flash.bin").exists() {
            manufacture(&dir, PartitionMode::Compatible, &firmware)?;
        }
        let port = free_port()?;
        std::fs::write(dir.join(CONF), conf(port))?;
        let mut board = Self { home, module: built::module()?, firmware, port, process: None };
        board.run()?;
        if !is_initialized(&board.module, &board.environment())? {
            initialize(&board.module, &board.environment())?;
        }
        Ok(board)
    }

    /// What the board has said since its last start.
    pub fn console(&self) -> String {
        std::fs::read_to_string(self.home.path().join(CONSOLE)).unwrap_or_default()
    }

    /// QEMU's process id.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Background::pid)
    }

    fn run(&mut self) -> Result<()> {
        let dir = self.home.path();
        let console = dir.join(CONSOLE);
        // an old console must not be taken for this boot's
        std::fs::write(&console, "")?;
        let qemu = command(&self.firmware, &dir.join("flash.bin"), &format!("file:{}", console.display()), self.port);
        let process = Background::start(dir, PROCESS, &qemu).context("`cargo xtask setup` installs QEMU")?;
        let serves = until(START, || self.console().contains(READY) || !process.runs());
        if !serves || !process.runs() {
            process.stop()?;
            let said = std::fs::read_to_string(dir.join(format!("{PROCESS}.log"))).unwrap_or_default();
            bail!("the board does not serve; QEMU: {said}\nconsole: {}", self.console());
        }
        self.process = Some(process);
        Ok(())
    }
}

fn conf(port: u16) -> String {
    format!(
        "[[token]]\nbody = \"network\"\naddress = \"127.0.0.1:{port}\"\nserver_name = \"{SERVER_NAME}\"\n\
         ca = \"ca.pem\"\ncertificate = \"client.pem\"\nkey = \"client.key\"\n"
    )
}

/// A port of loopback that nobody listens on now.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

impl Target for Board {
    fn name(&self) -> &'static str {
        "QEMU board"
    }

    fn module(&self) -> &Path {
        &self.module
    }

    fn environment(&self) -> Vec<(OsString, OsString)> {
        self.home.environment()
    }

    fn restart(&mut self) -> Result<()> {
        let process = self.process.take();
        ensure!(process.as_ref().is_some_and(Background::runs), "QEMU died before it was killed: {}", self.console());
        process.iter().try_for_each(Background::kill)?;
        self.run()
    }

    fn lacks(&self, need: Need) -> Option<&'static str> {
        match need {
            Need::Bulk => Some("a board's frame holds 8 KiB"),
            Need::Clients => Some("a board has no RSA"),
            Need::Clock => Some("the QEMU board has no clock"),
            Need::P384
            | Need::Lockout
            | Need::Server
            | Need::Processes
            | Need::LiveView
            | Need::HashedEcdsa
            | Need::Fork => None,
        }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        if let (Home::Passing(_), Some(process)) = (&self.home, &self.process) {
            process.kill().ok();
        }
    }
}
