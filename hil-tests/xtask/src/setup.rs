//! `cargo xtask setup`: what this machine lacks, and nothing it has.

use crate::{python, run, tools};
use anyhow::{Context, Result, bail};
use coloa_xtask::progress::Task;

/// Install what is missing: Debian packages, the Cortex-M toolchain, cargo-deny, cargo-audit, cargo-deb and Python packages.
///
/// Only what is absent is fetched; a second run changes nothing. Packages need root and Debian 12
/// or a relative of it; elsewhere the missing programs are named and you install them.
///
/// Examples:
///   cargo xtask setup            what the demo and the tests need
///   cargo xtask setup --bench    also OpenVPN, wireguard-go, sockperf and what Kryoptic is built with
///   cargo xtask setup --list     say what is missing, install nothing
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Also what `cargo xtask bench` compares with
    #[arg(long)]
    bench: bool,
    /// Only say what is missing
    #[arg(long)]
    list: bool,
}

/// What a part of the work needs, so that nothing is fetched that it does not use.
#[derive(Clone, Copy, PartialEq)]
pub enum Need {
    /// The product at work and its outside judges.
    Demo,
    /// The same with gates and every test.
    Tests,
    /// The same with the programs that we are measured against.
    Bench,
}

/// A Debian package and a program it brings.
struct Package {
    name: &'static str,
    program: &'static str,
}

const PACKAGES: &[Package] = &[
    Package { name: "gcc", program: "cc" },
    Package { name: "libc6-dev", program: "/usr/include/stdlib.h" },
    Package { name: "make", program: "make" },
    Package { name: "libp11-kit-dev", program: "/usr/include/p11-kit-1/p11-kit/pkcs11.h" },
    Package { name: "git", program: "git" },
    Package { name: "openssl", program: "openssl" },
    Package { name: "opensc", program: "pkcs11-tool" },
    Package { name: "softhsm2", program: "softhsm2-util" },
    Package { name: "libengine-pkcs11-openssl", program: "/usr/lib/x86_64-linux-gnu/engines-3/pkcs11.so" },
    Package { name: "gnutls-bin", program: "gnutls-cli" },
    Package { name: "openjdk-17-jdk-headless", program: "javac" },
    Package { name: "openssh-client", program: "ssh-agent" },
    Package { name: "nginx-light", program: "/usr/sbin/nginx" },
    Package { name: "libnss3-tools", program: "modutil" },
    Package { name: "cryptsetup-bin", program: "/usr/sbin/cryptsetup" },
    Package { name: "systemd", program: "systemd-cryptenroll" },
    Package { name: "curl", program: "curl" },
    Package { name: "wrk", program: "wrk" },
    Package { name: "qemu-system-arm", program: "qemu-system-arm" },
    Package { name: "iproute2", program: "ip" },
    Package { name: "iputils-ping", program: "ping" },
    Package { name: "ethtool", program: "ethtool" },
    Package { name: "iperf3", program: "iperf3" },
    Package { name: "tcpdump", program: "tcpdump" },
    Package { name: "valgrind", program: "valgrind" },
    Package { name: "libfaketime", program: "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1" },
    Package { name: "python3-venv", program: "/usr/lib/python3.11/ensurepip/__init__.py" },
];
const BENCH_PACKAGES: &[Package] = &[
    Package { name: "openvpn", program: "openvpn" },
    Package { name: "wireguard-go", program: "wireguard-go" },
    Package { name: "wireguard-tools", program: "wg" },
    Package { name: "sockperf", program: "sockperf" },
    // Kryoptic is built with OpenSSL from source (perl) and generates bindings (libclang, which needs its own headers)
    Package { name: "perl", program: "perl" },
    Package { name: "libclang1-14", program: crate::kryoptic::LIBCLANG },
    Package { name: "libclang-common-14-dev", program: "/usr/lib/llvm-14/lib/clang/14.0.6/include/stddef.h" },
];

/// `cargo xtask setup`
pub fn main(args: &Args) -> Result<()> {
    let need = if args.bench { Need::Bench } else { Need::Tests };
    if args.list {
        list(need);
        return Ok(());
    }
    ensure(need)
}

/// Makes sure that everything `need` asks for is here.
pub fn ensure(need: Need) -> Result<()> {
    packages(need)?;
    thumb()?;
    if need == Need::Tests {
        tools::ensure()?;
        python::ensure()?;
    }
    println!("setup: everything is here");
    Ok(())
}

fn list(need: Need) {
    let absent = missing(need);
    absent.iter().for_each(|p| println!("missing: {} (brings {})", p.name, p.program));
    if !has_thumb() {
        println!("missing: the toolchain `thumb` for Cortex-M (board/setup-thumb.sh)");
    }
    tools::missing().iter().for_each(|tool| println!("missing: {tool}"));
    if !python::is_here() {
        println!("missing: Python's packages in target/python (examples/python/requirements.txt)");
    }
}

fn missing(need: Need) -> Vec<&'static Package> {
    let more = if need == Need::Bench { BENCH_PACKAGES } else { &[] };
    PACKAGES.iter().chain(more).filter(|p| !present(p.program)).collect()
}

fn present(program: &str) -> bool {
    if program.starts_with('/') {
        return std::path::Path::new(program).exists();
    }
    // a user's PATH often lacks sbin, where ip, tcpdump and openvpn live
    run::on_path(program).is_some()
        || ["/usr/sbin", "/sbin"].iter().any(|d| std::path::Path::new(d).join(program).is_file())
}

fn packages(need: Need) -> Result<()> {
    let names: Vec<_> = missing(need).iter().map(|p| p.name).collect();
    if names.is_empty() {
        return Ok(());
    }
    let typed = format!("apt-get install --no-install-recommends {}", names.join(" "));
    if run::on_path("apt-get").is_none() {
        bail!("these programs are missing and this is no Debian: install what brings them ({})", names.join(" "));
    }
    let apt = |args: &[&str]| {
        let mut c = run::program("apt-get");
        c.env("DEBIAN_FRONTEND", "noninteractive").args(["-q", "-y", "-o", "DPkg::Lock::Timeout=600"]).args(args);
        c
    };
    let _quiet = NoServices::hold();
    run::quiet(Task::start("apt-get update"), &mut apt(&["update"]))
        .and_then(|()| {
            let task = Task::start(format!("apt-get install {}", names.join(" ")));
            run::quiet(task, apt(&["install", "--no-install-recommends"]).args(&names))
        })
        .with_context(|| format!("run this as root, then try again: {typed}"))?;
    if names.contains(&"nginx-light") && run::on_path("systemctl").is_some() {
        // Nor does it start with the machine. Where there is no systemd there is nothing to do.
        run::program("systemctl").args(["disable", "--quiet", "nginx"]).status().ok();
    }
    Ok(())
}

/// While it is held no package that is installed starts a service: the tests start their own nginx, and port 80 is not theirs.
struct NoServices(bool);

/// Asked by Debian's packages before they start a service (`invoke-rc.d`(8)).
const POLICY: &str = "/usr/sbin/policy-rc.d";

impl NoServices {
    /// Leaves a policy that is there already alone.
    fn hold() -> Self {
        use std::os::unix::fs::PermissionsExt;
        let text = "#!/bin/sh\n# Of `cargo xtask setup`, while it installs packages. If that does not run, remove this file.\nexit 101\n";
        let ours = !std::path::Path::new(POLICY).exists() && std::fs::write(POLICY, text).is_ok();
        if ours {
            std::fs::set_permissions(POLICY, std::fs::Permissions::from_mode(0o755)).ok();
        }
        NoServices(ours)
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.0 {
            std::fs::remove_file(POLICY).ok();
        }
    }
}

fn has_thumb() -> bool {
    let mut probe = run::program("rustup");
    probe.args(["run", "thumb", "rustc", "--print", "target-libdir", "--target", "thumbv7em-none-eabihf"]);
    let Ok(out) = probe.output() else { return false };
    let dir = String::from_utf8_lossy(&out.stdout).trim().to_owned();
    let Ok(files) = std::fs::read_dir(dir) else { return false };
    out.status.success() && files.flatten().any(|f| f.file_name().to_string_lossy().starts_with("liballoc-"))
}

fn thumb() -> Result<()> {
    if has_thumb() {
        return Ok(());
    }
    let task = Task::start("the Cortex-M toolchain (board/setup-thumb.sh)");
    run::quiet(task, run::program("bash").arg("board/setup-thumb.sh"))
}
