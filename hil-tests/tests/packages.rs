//! The Debian packages, installed, upgraded and removed by dpkg on a copy of this machine, with the appliance at work.

#![forbid(unsafe_code)]

use anyhow::{Context, Result, bail, ensure};
use coloa_hil_tests::background::{Background, until};
use coloa_hil_tests::built;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

const SOCKET: &str = "/run/coloa/coload.sock";

/// This machine's files under a layer that takes every change, for programs that run inside; gone on drop.
struct Machine {
    layers: tempfile::TempDir,
}

impl Machine {
    fn make() -> Result<Self> {
        let layers = tempfile::tempdir()?;
        let made = Self { layers };
        // the layer has to lie on another file system than what is under it
        good(Command::new("mount").args(["-t", "tmpfs", "tmpfs"]).arg(made.layers.path()))?;
        let [upper, work, root] = ["upper", "work", "root"].map(|name| made.layers.path().join(name));
        [&upper, &work, &root].into_iter().try_for_each(std::fs::create_dir)?;
        let layers = format!("lowerdir=/,upperdir={},workdir={}", upper.display(), work.display());
        good(Command::new("mount").args(["-t", "overlay", "overlay", "-o", &layers]).arg(&root))?;
        for (kind, place) in [("proc", "proc"), ("devtmpfs", "dev")] {
            good(Command::new("mount").args(["-t", kind, kind]).arg(root.join(place)))?;
        }
        Ok(made)
    }

    fn root(&self) -> PathBuf {
        self.layers.path().join("root")
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.root().join(inside.trim_start_matches('/'))
    }

    /// A command inside, as root.
    fn command(&self, words: &[&str]) -> Command {
        let mut c = Command::new("chroot");
        c.arg(self.root()).args(words).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
        c
    }

    fn run(&self, words: &[&str]) -> Result<String> {
        good(&mut self.command(words))
    }

    /// Installs or upgrades.
    fn install(&self, packages: &[PathBuf]) -> Result<String> {
        let inside = packages.iter().map(|package| {
            let name = package.file_name().context("a name")?.to_string_lossy().into_owned();
            std::fs::copy(package, self.path("/root").join(&name))?;
            Ok(format!("/root/{name}"))
        });
        let inside = inside.collect::<Result<Vec<_>>>()?;
        self.run(&[&["dpkg", "--install"], inside.iter().map(String::as_str).collect::<Vec<_>>().as_slice()].concat())
    }

    /// The appliance as its unit starts it.
    fn start(&self) -> Result<Background> {
        // what systemd does for RuntimeDirectory= and StateDirectory=
        for (mode, folder) in [("0755", "/run/coloa"), ("0700", "/var/lib/coloa")] {
            self.run(&["install", "-d", "-o", "coloa", "-g", "coloa", "-m", mode, folder])?;
        }
        let mut coload = Command::new("chroot");
        coload.args(["--userspec=coloa:coloa"]).arg(self.root()).arg("/usr/bin/coload");
        let started = Background::start(self.layers.path(), "coload", &coload)?;
        let answers = || self.run(&["coloa", "status"]).is_ok();
        let log = || std::fs::read_to_string(self.layers.path().join("coload.log")).unwrap_or_default();
        ensure!(until(Duration::from_secs(60), answers), "{SOCKET} does not answer:\n{}", log());
        Ok(started)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        for process in std::fs::read_dir(self.layers.path()).into_iter().flatten().flatten() {
            if process.path().extension().is_some_and(|e| e == "pid") {
                Background::recorded(&process.path()).and_then(|p| p.kill()).ok();
            }
        }
        Command::new("umount").args(["--recursive", "--lazy"]).arg(self.layers.path()).status().ok();
    }
}

fn good(command: &mut Command) -> Result<String> {
    let Output { status, stdout, stderr } = command.output().with_context(|| format!("cannot start {command:?}"))?;
    let said = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
    if !status.success() {
        bail!("{command:?} ended with {status}:\n{said}");
    }
    Ok(said)
}

/// The packages of a revision, as anybody builds them.
fn packages(out: &Path, revision: u32) -> Result<Vec<PathBuf>> {
    let revision = revision.to_string();
    let mut xtask = Command::new("cargo");
    xtask.args(["xtask", "package", "--dev", "--revision", &revision, "--out"]).arg(out).current_dir(built::root());
    good(&mut xtask)?;
    let all = std::fs::read_dir(out)?.flatten().map(|entry| entry.path());
    Ok(all.filter(|file| file.to_string_lossy().ends_with(&format!("-{revision}_amd64.deb"))).collect())
}

/// A partition, a client of it, and what its application sees.
fn put_to_work(machine: &Machine) -> Result<()> {
    machine.run(&["coloa", "init", "--label", "court-hsm-1"])?;
    for (file, pin) in [("/root/so.pin", "12345678\n"), ("/root/user.pin", "123456\n")] {
        std::fs::write(machine.path(file), pin)?;
    }
    let pins = ["--so-pin-file", "/root/so.pin", "--user-pin-file", "/root/user.pin"];
    machine.run(&[["coloa", "partition", "create", "--label", "court"].as_slice(), &pins].concat())?;
    machine.run(&["coloa", "client", "enrol", "--partition", "court", "--name", "srv", "--out", "/root/srv"])?;
    Ok(())
}

/// What an application on this machine sees through the installed module.
fn seen(machine: &Machine) -> Result<String> {
    let listed = ["pkcs11-tool", "--module", "libcoloa_pkcs11.so", "--list-slots"];
    // where Debian has PKCS#11 modules
    let mut tool = machine.command(&listed);
    tool.env("COLOA_CONF", "/root/srv/coloa.toml").env("LD_LIBRARY_PATH", "/usr/lib/x86_64-linux-gnu/pkcs11");
    good(&mut tool)
}

#[test]
fn installed_upgraded_and_removed_without_losing_a_key() {
    let debs = tempfile::tempdir().unwrap();
    let (first, second) = (packages(debs.path(), 1).unwrap(), packages(debs.path(), 2).unwrap());
    assert_eq!((first.len(), second.len()), (4, 4));
    let machine = Machine::make().unwrap();
    machine.install(&first).unwrap();
    machine.run(&["coload", "--check-config"]).unwrap();
    for file in ["coloa-appliance.json", "coloa-alerts.yml"] {
        assert!(machine.path("/usr/share/coloa").join(file).exists(), "{file} is not installed");
    }
    // R5: what is to run was recorded
    machine.run(&["sha384sum", "--check", "--status", "/usr/lib/coloa/coload.sha384"]).unwrap();
    assert!(machine.run(&["coloa", "doctor"]).is_err(), "no token is configured yet, and it says so");
    // what an operator changes stays
    let config = machine.path("/etc/coloa/coload.toml");
    let text = std::fs::read_to_string(&config).unwrap().replace("[::]:7443", "127.0.0.1:17443");
    std::fs::write(&config, &text).unwrap();
    let coload = machine.start().unwrap();
    put_to_work(&machine).unwrap();
    assert!(seen(&machine).unwrap().contains("token label        : court"), "{}", seen(&machine).unwrap());
    coload.stop().unwrap();

    machine.install(&second).unwrap();
    machine.run(&["sha384sum", "--check", "--status", "/usr/lib/coloa/coload.sha384"]).unwrap();
    assert_eq!(std::fs::read_to_string(&config).unwrap(), text);
    let coload = machine.start().unwrap();
    assert!(machine.run(&["coloa", "status"]).unwrap().contains("court-hsm-1"));
    assert!(seen(&machine).unwrap().contains("token label        : court"));
    coload.stop().unwrap();

    machine.run(&["dpkg", "--remove", "coloa-appliance", "coloa-linkd", "coloa-pkcs11", "coloa"]).unwrap();
    assert!(!machine.path("/usr/bin/coload").exists() && config.exists());
    assert!(!machine.path("/usr/lib/coloa/coload.sha384").exists());
    let said = machine.run(&["dpkg", "--purge", "coloa-appliance"]).unwrap();
    assert!(said.contains("/var/lib/coloa"), "what is left is named: {said}");
    assert!(!config.exists());

    machine.install(&second).unwrap();
    std::fs::write(&config, &text).unwrap();
    let coload = machine.start().unwrap();
    assert!(machine.run(&["coloa", "status"]).unwrap().contains("court-hsm-1"), "nothing was lost");
    assert!(seen(&machine).unwrap().contains("token label        : court"));
    coload.stop().unwrap();
}
