//! The programs that people use, each with its own way through the module. A missing program fails the check.

pub mod cryptsetup;
pub mod examples;
pub mod gnutls;
pub mod java;
pub mod nginx;
pub mod nss;
pub mod openssl;
pub mod oracle;
pub mod p11bench;
pub mod python;
pub mod ssh;

use crate::target::{LABEL, USER_PIN};
use crate::token::{MODULE, Token};
use anyhow::{Context, Result, bail, ensure};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// How long a server may take to listen on a busy machine.
const START: Duration = Duration::from_secs(30);
/// The package with the engine for OpenSSL 3.
const ENGINE: &str = "libengine-pkcs11-openssl";

/// `pkcs11-tool --test`: digests, verification and decryption with every key and mechanism it knows.
pub fn pkcs11_tool(token: &Token) -> Result<()> {
    let pair = Pair::make(token, "rsa:2048", "tool-rsa", "a1")?;
    let told = tool(token, &["--test"])?;
    ensure!(told.contains("No errors"), "{told}");
    pair.remove(token)
}

/// `pkcs11-tool --test-ec`: makes a pair, renames it, signs with ECDSA and SHA-1, and deletes it.
pub fn pkcs11_tool_ec(token: &Token) -> Result<()> {
    let told = tool(token, &["--session-rw", "--test-ec", "--id", "a2", "--key-type", "EC:prime256v1"])?;
    ensure!(told.contains("Doing a signature") && told.contains("==> OK"), "{told}");
    Ok(())
}

/// A pair that `pkcs11-tool` made.
struct Pair {
    label: &'static str,
    id: &'static str,
}

impl Pair {
    fn make(token: &Token, kind: &str, label: &'static str, id: &'static str) -> Result<Self> {
        tool(token, &["--keypairgen", "--key-type", kind, "--label", label, "--id", id])?;
        Ok(Pair { label, id })
    }

    fn remove(self, token: &Token) -> Result<()> {
        for half in ["privkey", "pubkey"] {
            tool(token, &["--delete-object", "--type", half, "--label", self.label, "--id", self.id])?;
        }
        Ok(())
    }
}

/// A server that ends with the check.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Waits until something listens on this port of the loopback.
fn listens(port: &str) -> Result<()> {
    let since = Instant::now();
    while std::net::TcpStream::connect(format!("127.0.0.1:{port}")).is_err() {
        ensure!(since.elapsed() < START, "it does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn module() -> Result<PathBuf> {
    std::env::var_os(MODULE).map(PathBuf::from).context("the suite names the module")
}

fn tool(token: &Token, words: &[&str]) -> Result<String> {
    run(tool_command(token)?.args(words))
}

/// `pkcs11-tool` with the user logged in.
fn tool_command(token: &Token) -> Result<Command> {
    let mut tool = plain(token, "pkcs11-tool");
    tool.arg("--module").arg(module()?).args(["--token-label", LABEL, "--login", "--pin", USER_PIN]);
    Ok(tool)
}

/// A program in the check's folder.
fn plain(token: &Token, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(&token.scratch).env("LC_ALL", "C");
    command
}

/// Runs it to its end; what it printed.
fn run(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let out = command.output().with_context(|| format!("{name} does not start; `cargo xtask setup` installs it"))?;
    let told = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    if !out.status.success() {
        bail!("{name} {:?} ended with {} (OpenSSL's engine is {ENGINE}):\n{told}", command.get_args(), out.status);
    }
    Ok(told)
}
