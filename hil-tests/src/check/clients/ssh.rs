//! OpenSSH: its agent with the token's keys, and a certificate authority in the token.

use super::{Ended, Pair, START, module, plain, run};
use crate::target::USER_PIN;
use crate::token::Token;
use anyhow::{Context, Result, ensure};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The agent's socket in the check's folder.
const SOCKET: &str = "agent";
/// What is signed.
const MESSAGE: &str = "message";

/// `ssh-keygen` lists the public keys and certifies with each of them, and `ssh-agent` signs with each.
pub fn works(token: &Token) -> Result<()> {
    askpass(token)?;
    let kinds =
        [("rsa:2048", "ssh-rsa", "d1"), ("EC:prime256v1", "ssh-p256", "d2"), ("EC:secp384r1", "ssh-p384", "d3")];
    let pairs = kinds.map(|(kind, label, id)| Pair::make(token, kind, label, id));
    let pairs = pairs.into_iter().collect::<Result<Vec<_>>>()?;
    let listed = run(ssh(token, "ssh-keygen").arg("-D").arg(module()?))?;
    let _agent = agent(token)?;
    run(ssh(token, "ssh-add").arg("-s").arg(module()?))?;
    let held = run(ssh(token, "ssh-add").arg("-L"))?;
    for pair in pairs {
        let key = public_key(&listed, pair.label)?;
        ensure!(held.contains(key), "the agent does not hold {}:\n{held}", pair.label);
        std::fs::write(token.scratch.join("key.pub"), format!("{key} {}\n", pair.label))?;
        sign(token, key).with_context(|| pair.label)?;
        certify(token).with_context(|| pair.label)?;
        pair.remove(token)?;
    }
    run(ssh(token, "ssh-add").arg("-e").arg(module()?)).map(drop)
}

/// The agent signs a file; `ssh-keygen` verifies it, and not another one.
fn sign(token: &Token, key: &str) -> Result<()> {
    std::fs::write(token.scratch.join(MESSAGE), "Quyet dinh so 2\n")?;
    std::fs::write(token.scratch.join("allowed"), format!("lan {key}\n"))?;
    std::fs::remove_file(token.scratch.join("message.sig")).ok();
    run(ssh(token, "ssh-add").args(["-T", "key.pub"]))?;
    run(ssh(token, "ssh-keygen").args(["-Y", "sign", "-n", "file", "-f", "key.pub", MESSAGE]))?;
    let verify = || {
        let mut verify = ssh(token, "ssh-keygen");
        verify.args(["-Y", "verify", "-f", "allowed", "-I", "lan", "-n", "file", "-s", "message.sig"]);
        run(verify.stdin(std::fs::File::open(token.scratch.join(MESSAGE))?))
    };
    let told = verify()?;
    ensure!(told.contains("Good \"file\" signature for lan"), "{told}");
    std::fs::write(token.scratch.join(MESSAGE), "Quyet dinh so 3\n")?;
    ensure!(verify().is_err(), "a signature holds for another message");
    Ok(())
}

/// A user certificate by the token's key. `-L` shows who signed; it reads no certificate whose signature is wrong.
fn certify(token: &Token) -> Result<()> {
    for old in ["user", "user.pub", "user-cert.pub"] {
        std::fs::remove_file(token.scratch.join(old)).ok();
    }
    run(ssh(token, "ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", "user"]))?;
    let says = ["-I", "lan", "-n", "lan", "-V", "+1h", "user.pub"];
    run(ssh(token, "ssh-keygen").args(["-s", "key.pub", "-D"]).arg(module()?).args(says))?;
    let shown = run(ssh(token, "ssh-keygen").args(["-L", "-f", "user-cert.pub"]))?;
    let print = run(ssh(token, "ssh-keygen").args(["-l", "-f", "key.pub"]))?;
    let print = print.split_whitespace().nth(1).context("no fingerprint")?;
    ensure!(shown.contains(print), "not signed by {print}:\n{shown}");
    Ok(())
}

/// The line's type and key, without the comment.
fn public_key<'a>(listed: &'a str, label: &str) -> Result<&'a str> {
    let line = listed.lines().find_map(|line| line.strip_suffix(label)).map(str::trim_end);
    line.with_context(|| format!("{label} is not listed:\n{listed}"))
}

/// The agent stays this process's child: it does not go to the background.
fn agent(token: &Token) -> Result<Ended> {
    let mut agent = ssh(token, "ssh-agent");
    agent.args(["-D", "-a", SOCKET, "-P", "/*"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let agent = Ended(agent.spawn().context("ssh-agent does not start")?);
    let since = Instant::now();
    while !token.scratch.join(SOCKET).exists() {
        ensure!(since.elapsed() < START, "ssh-agent makes no socket");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(agent)
}

/// OpenSSH asks a program for the PIN.
fn askpass(token: &Token) -> Result<()> {
    let file = token.scratch.join("askpass");
    std::fs::write(&file, format!("#!/bin/sh\necho {USER_PIN}\n"))?;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o700))?;
    Ok(())
}

fn ssh(token: &Token, program: &str) -> Command {
    let mut ssh = plain(token, program);
    ssh.env("SSH_ASKPASS", token.scratch.join("askpass")).env("SSH_ASKPASS_REQUIRE", "force");
    ssh.env("SSH_AUTH_SOCK", token.scratch.join(SOCKET)).env("HOME", &token.scratch).stdin(Stdio::null());
    ssh
}
