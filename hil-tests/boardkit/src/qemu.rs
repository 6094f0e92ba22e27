//! The emulated board as a process: started, answering, killed.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::image::Firmware;

/// The port that the board serves in its own network.
pub const GUEST_PORT: u16 = 7443;
/// What the console says when connections are served.
const READY: &str = "serving TLS 1.3";
/// A start takes well under a second; a busy machine may take longer.
const START: Duration = Duration::from_secs(60);
/// What QEMU says when the port is not free.
const PORT_TAKEN: &str = "Could not set up host forwarding rule";
/// Another process may take the free port before QEMU does.
const ATTEMPTS: usize = 3;

/// The socket beside the flash that stands for the board's tamper line: a byte that is sent there is an event (R15).
pub const TAMPER_LINE: &str = "tamper.sock";

/// A running board. Dropped, it is killed as by a power cut; its flash stays.
pub struct Qemu {
    child: Child,
    port: u16,
    console: PathBuf,
}

impl Qemu {
    /// Starts the boot stage with `flash`, which holds the image, and waits until it serves. Its console goes to `console.log` beside the flash.
    pub fn start(firmware: &Firmware, flash: &Path) -> Result<Self> {
        for _ in 1..ATTEMPTS {
            match Self::start_at(firmware, flash, free_port()?) {
                Err(why) if why.to_string().contains(PORT_TAKEN) => {}
                outcome => return outcome,
            }
        }
        Self::start_at(firmware, flash, free_port()?)
    }

    /// As [`Qemu::start`], with the loopback port given.
    pub fn start_at(firmware: &Firmware, flash: &Path, port: u16) -> Result<Self> {
        let console = flash.with_file_name("console.log");
        // An old console must not be taken for this boot's.
        fs::write(&console, b"")?;
        let child = command(firmware, flash, &format!("file:{}", console.display()), port)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start qemu-system-arm; `cargo xtask setup` installs it")?;
        let mut board = Self { child, port, console };
        board.await_ready()?;
        Ok(board)
    }

    /// The loopback port at which the board's TLS answers.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// QEMU's process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What the board has said.
    pub fn console(&self) -> String {
        fs::read_to_string(&self.console).unwrap_or_default()
    }

    /// Lets the board run on without its owner; end it by its process id.
    pub fn leave_running(self) {
        std::mem::forget(self);
    }

    fn await_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + START;
        while Instant::now() < deadline {
            let said = self.console();
            if said.contains(READY) {
                return Ok(());
            }
            if let Some(line) = said.lines().find(|line| line.starts_with("cannot start")) {
                bail!("the board {line}");
            }
            if let Some(status) = self.child.try_wait()? {
                let mut why = String::new();
                if let Some(stderr) = &mut self.child.stderr {
                    std::io::Read::read_to_string(stderr, &mut why)?;
                }
                bail!("QEMU ended with {status}: {why}");
            }
            sleep(Duration::from_millis(20));
        }
        bail!("the board does not serve after {} s; its console:\n{}", START.as_secs(), self.console())
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        // SIGKILL: what a power cut looks like from outside. Both fail only when it is already gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// QEMU as the board, from its boot stage on: `serial` is where its console goes (`file:...`, `stdio`), `port` where its TLS
/// answers on loopback.
pub fn command(firmware: &Firmware, flash: &Path, serial: &str, port: u16) -> Command {
    let memory = format!("memory-backend-file,id=flash,size=16M,mem-path={},share=on", flash.display());
    let nic = format!("user,model=lan9118,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:{GUEST_PORT}");
    let mut qemu = Command::new("qemu-system-arm");
    qemu.args(["-M", "mps2-an386,memory-backend=flash", "-object", &memory]);
    let line = format!("unix:{},server=on,wait=off", flash.with_file_name(TAMPER_LINE).display());
    qemu.args(["-display", "none", "-monitor", "none", "-serial", serial, "-serial", &line, "-nic", &nic, "-kernel"])
        .arg(&firmware.boot);
    qemu
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
