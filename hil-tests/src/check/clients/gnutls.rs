//! GnuTLS's command line for tokens.

use super::{Pair, module, plain, run};
use crate::target::{LABEL, USER_PIN};
use crate::token::Token;
use anyhow::{Result, ensure};
use std::process::Command;

/// GnuTLS lists the token, signs with its keys and verifies with both halves.
pub fn signs(token: &Token) -> Result<()> {
    for (kind, label, id) in [("rsa:2048", "tls-rsa", "c1"), ("EC:secp384r1", "tls-ec", "c2")] {
        let pair = Pair::make(token, kind, label, id)?;
        let listed = run(p11tool(token)?.args(["--login", "--list-privkeys", &format!("pkcs11:token={LABEL}")]))?;
        ensure!(listed.contains(&format!("object={label}")), "{listed}");
        let key = format!("pkcs11:token={LABEL};object={label};type=private");
        let told = run(p11tool(token)?.args(["--login", "--test-sign", &key]))?;
        ensure!(told.matches("... ok").count() == 3, "{told}");
        pair.remove(token)?;
    }
    Ok(())
}

/// `p11tool` on our module.
pub fn p11tool(token: &Token) -> Result<Command> {
    let mut tool = plain(token, "p11tool");
    tool.arg("--provider").arg(module()?).env("GNUTLS_PIN", USER_PIN);
    Ok(tool)
}
