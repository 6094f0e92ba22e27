//! A real `coload` for each test, and `coloa` as a person types it.
#![allow(dead_code, reason = "each test binary uses its part")]

use serde_json::Value;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// `coload` of the same profile; quick when nothing changed.
fn coload() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let coloa = Path::new(env!("CARGO_BIN_EXE_coloa"));
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--locked", "-p", "coloa-appliance"]).current_dir(env!("CARGO_MANIFEST_DIR"));
        if coloa.parent().unwrap().ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().unwrap().success(), "coload does not build");
        coloa.with_file_name("coload")
    })
}

/// It answers when this returns.
fn serve(folder: &Path) -> Child {
    let mut command = Command::new(coload());
    command.arg("--config").arg(folder.join("coload.toml")).stderr(Stdio::null());
    let coload = command.spawn().unwrap();
    let since = Instant::now();
    while UnixStream::connect(folder.join("coload.sock")).is_err() {
        assert!(since.elapsed() < Duration::from_secs(60), "coload does not start");
        std::thread::sleep(Duration::from_millis(10));
    }
    coload
}

pub struct Site {
    pub dir: TempDir,
    coload: Child,
}

impl Site {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = "directory = \"data\"\nlisten = \"127.0.0.1:0\"\nadmin_socket = \"coload.sock\"\n";
        fs::write(dir.path().join("coload.toml"), text).unwrap();
        fs::write(dir.path().join("so.pin"), "12345678\n").unwrap();
        fs::write(dir.path().join("user.pin"), "123456\n").unwrap();
        fs::write(dir.path().join("new.pin"), "654321\n").unwrap();
        let coload = serve(dir.path());
        Site { dir, coload }
    }

    /// The power fails.
    pub fn kill(&mut self) {
        self.coload.kill().unwrap();
        self.coload.wait().unwrap();
    }

    /// It comes back.
    pub fn start(&mut self) {
        self.coload = serve(self.dir.path());
    }

    pub fn operational() -> Self {
        let site = Site::new();
        site.does(&["init", "--label", "rack-1"]);
        site
    }

    pub fn with_partition(label: &str) -> Self {
        let site = Self::operational();
        site.create(label);
        site
    }

    pub fn create(&self, label: &str) -> Value {
        self.does(&["partition", "create", "--label", label, "--so-pin-file", "so.pin", "--user-pin-file", "user.pin"])
    }

    /// The program that serves.
    pub fn program(&self) -> &'static Path {
        coload()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut coloa = Command::new(env!("CARGO_BIN_EXE_coloa"));
        coloa.args(words).current_dir(self.dir.path()).stdin(Stdio::null());
        coloa.env("COLOA_ADMIN_SOCKET", self.path("coload.sock")).env("LC_ALL", "C");
        coloa.env("COLOA_CONF", self.path("court-srv-1/coloa.toml"));
        coloa
    }

    /// Succeeds; its document.
    pub fn does(&self, words: &[&str]) -> Value {
        let out = self.run(&[&["--json"], words].concat());
        assert!(out.status.success(), "{words:?}: {}", String::from_utf8_lossy(&out.stderr));
        serde_json::from_slice(&out.stdout).unwrap()
    }

    /// Fails; what it tells people.
    pub fn fails(&self, words: &[&str]) -> String {
        let out = self.run(words);
        assert!(!out.status.success(), "{words:?} succeeds: {}", String::from_utf8_lossy(&out.stdout));
        String::from_utf8(out.stderr).unwrap()
    }

    /// The exit code of a `coload` that ends by itself.
    pub fn ended(&mut self) -> Option<i32> {
        self.coload.wait().unwrap().code()
    }

    pub fn enrol(&self, partition: &str, name: &str) -> Value {
        self.does(&["client", "enrol", "--partition", partition, "--name", name, "--out", name])
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.coload.kill();
        let _ = self.coload.wait();
    }
}
