//! NSS, the library of Firefox and Thunderbird, with the tools it brings.

use super::{module, plain, run};
use crate::target::{LABEL, USER_PIN};
use crate::token::Token;
use anyhow::{Context, Result, ensure};
use std::process::Command;

/// The folder of NSS's database.
const DATABASE: &str = "sql:nss";

/// `modutil` takes the module in; `certutil` makes keys with certificates in the token, lists and verifies them.
pub fn keeps_certificates(token: &Token) -> Result<()> {
    std::fs::create_dir_all(token.scratch.join("nss"))?;
    std::fs::write(token.scratch.join("pin"), USER_PIN)?;
    run(plain(token, "certutil").args(["-N", "-d", DATABASE, "--empty-password"]))?;
    run(plain(token, "modutil").args(["-force", "-dbdir", DATABASE, "-add", "coloa", "-libfile"]).arg(module()?))?;
    let listed = run(plain(token, "modutil").args(["-dbdir", DATABASE, "-list", "coloa"]))?;
    ensure!(listed.contains(&format!("Token Name: {LABEL}")), "{listed}");
    for (name, how) in [("nss-rsa", ["-k", "rsa", "-g", "2048"]), ("nss-ec", ["-k", "ec", "-q", "nistp256"])] {
        certificate(token, name, how).with_context(|| name)?;
    }
    Ok(())
}

fn certificate(token: &Token, name: &str, how: [&str; 4]) -> Result<()> {
    // NSS stirs its own generator with this file instead of asking for keys to be hit
    std::fs::write(token.scratch.join("noise"), [7; 64])?;
    let subject = format!("CN={name}");
    let makes = ["-S", "-x", "-n", name, "-s", &subject, "-t", "CTu,u,u", "-z", "noise", "-Z", "SHA256"];
    run(certutil(token).args(makes).args(how))?;
    let nickname = format!("{LABEL}:{name}");
    let listed = run(certutil(token).arg("-K"))?;
    ensure!(listed.contains(&nickname), "the key is not listed:\n{listed}");
    let pem = run(certutil(token).args(["-L", "-a", "-n", &nickname]))?;
    std::fs::write(token.scratch.join("nss.pem"), pem)?;
    let told = run(plain(token, "openssl").args(["verify", "-check_ss_sig", "-CAfile", "nss.pem", "nss.pem"]))?;
    ensure!(told.contains("OK"), "{told}");
    run(certutil(token).args(["-F", "-n", &nickname]))?;
    let left = run(certutil(token).arg("-K"));
    ensure!(left.as_ref().map_or(true, |told| !told.contains(&nickname)), "the key is still there: {left:?}");
    Ok(())
}

/// `certutil` on our token.
fn certutil(token: &Token) -> Command {
    let mut certutil = plain(token, "certutil");
    certutil.args(["-d", DATABASE, "-h", LABEL, "-f", "pin"]);
    certutil
}
