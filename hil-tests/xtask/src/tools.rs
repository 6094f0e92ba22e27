//! cargo-deny, cargo-audit and cargo-deb at pinned versions, built once into `target/tools`.

use crate::run;
use anyhow::Result;
use coloa_xtask::progress::Task;
use std::path::PathBuf;
use std::process::Command;

/// A cargo subcommand from crates.io.
pub struct Tool {
    name: &'static str,
    version: &'static str,
}

/// Licences, bans and sources.
pub const DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2" };
/// Known vulnerabilities.
pub const AUDIT: Tool = Tool { name: "cargo-audit", version: "0.22.2" };

/// Debian packages.
pub const DEB: Tool = Tool { name: "cargo-deb", version: "3.8.0" };
const ALL: [Tool; 3] = [AUDIT, DENY, DEB];

impl Tool {
    /// The command `cargo NAME`, ready for its arguments.
    pub fn command(&self) -> Command {
        let mut c = run::program(self.find().unwrap_or_else(|| self.ours()));
        c.arg(self.name.trim_start_matches("cargo-"));
        c
    }

    fn ours(&self) -> PathBuf {
        run::root().join("target/tools/bin").join(self.name)
    }

    /// Ours, or one on the PATH if it has just this version.
    fn find(&self) -> Option<PathBuf> {
        [Some(self.ours()), run::on_path(self.name)].into_iter().flatten().find(|file| self.is_pinned(file))
    }

    fn is_pinned(&self, file: &PathBuf) -> bool {
        let sub = self.name.trim_start_matches("cargo-");
        let out = Command::new(file).arg(sub).arg("--version").output();
        out.is_ok_and(|o| String::from_utf8_lossy(&o.stdout).split_whitespace().any(|word| word == self.version))
    }

    /// Unoptimised and without debug information: they run for seconds, building them well would take minutes.
    fn install(&self) -> Result<()> {
        let what = format!("{}@{}", self.name, self.version);
        let task = Task::start(format!("building {what} (once, into target/tools)"));
        let mut c = run::cargo(&["install", "--locked", "--debug", "--no-default-features", "--root", "target/tools"]);
        c.args(["--target-dir", "target/tools/build", &what]);
        for (key, value) in [("DEBUG", "0"), ("OPT_LEVEL", "0"), ("INCREMENTAL", "false")] {
            c.env(format!("CARGO_PROFILE_DEV_{key}"), value);
        }
        run::quiet(task, &mut c)
    }
}

/// Builds what is not there at its pinned version.
pub fn ensure() -> Result<()> {
    install(&ALL)
}

/// The same for packages alone.
pub fn ensure_deb() -> Result<()> {
    install(&[DEB])
}

/// Drops afterwards what building left (a gigabyte).
fn install(tools: &[Tool]) -> Result<()> {
    tools.iter().filter(|t| t.find().is_none()).try_for_each(Tool::install)?;
    let left = run::root().join("target/tools/build");
    if left.exists() {
        std::fs::remove_dir_all(left)?;
    }
    Ok(())
}

/// Names of what is not there.
pub fn missing() -> Vec<String> {
    let absent = ALL.into_iter().filter(|t| t.find().is_none());
    absent.map(|t| format!("{} {}", t.name, t.version)).collect()
}
