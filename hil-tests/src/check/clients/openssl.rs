//! OpenSSL's command line with its PKCS#11 engine.

use super::{Ended, Pair, listens, module, plain, run};
use crate::body::free_port;
use crate::target::{LABEL, USER_PIN};
use crate::token::Token;
use anyhow::{Context, Result, ensure};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A certificate, a signed message, and a TLS 1.3 server whose key is in the token; OpenSSL and GnuTLS judge.
pub fn serves(token: &Token) -> Result<()> {
    for (kind, label, id) in [("rsa:2048", "ossl-rsa", "b1"), ("EC:prime256v1", "ossl-ec", "b2")] {
        let pair = Pair::make(token, kind, label, id)?;
        let key = format!("pkcs11:token={LABEL};object={label};type=private");
        certify(token, label, &key)?;
        sign_message(token, label, &key)?;
        serve(token, label, &key).with_context(|| format!("a TLS server with {kind}"))?;
        pair.remove(token)?;
    }
    Ok(())
}

fn certify(token: &Token, label: &str, key: &str) -> Result<()> {
    let (certificate, subject) = (format!("{label}.pem"), format!("/CN={label}"));
    let made = ["req", "-new", "-x509", "-days", "30", "-subj", &subject, "-out", &certificate, "-key", key];
    run(openssl(token)?.args(made).args(["-engine", "pkcs11", "-keyform", "engine"]))?;
    let told = run(plain(token, "openssl").args(["verify", "-CAfile", &certificate, &certificate]))?;
    ensure!(told.contains("OK"), "{told}");
    Ok(())
}

fn sign_message(token: &Token, label: &str, key: &str) -> Result<()> {
    std::fs::write(token.scratch.join("message"), "Quyet dinh so 2\n")?;
    let certificate = format!("{label}.pem");
    let signs = ["cms", "-sign", "-in", "message", "-out", "message.cms", "-signer", &certificate, "-inkey", key];
    run(openssl(token)?.args(signs).args(["-engine", "pkcs11", "-keyform", "engine"]))?;
    let verifies = ["cms", "-verify", "-in", "message.cms", "-CAfile", &certificate];
    let told = run(plain(token, "openssl").args(verifies))?;
    ensure!(told.contains("Quyet dinh so 2"), "{told}");
    Ok(())
}

fn serve(token: &Token, label: &str, key: &str) -> Result<()> {
    let (port, certificate) = (free_port()?.to_string(), format!("{label}.pem"));
    let mut server = openssl(token)?;
    server.args(["s_server", "-www", "-accept", &port, "-cert", &certificate, "-key", key]);
    server.args(["-engine", "pkcs11", "-keyform", "engine"]).stdin(Stdio::null()).stdout(Stdio::null());
    let _server = Ended(server.stderr(Stdio::null()).spawn().context("openssl s_server")?);
    listens(&port)?;
    let asks = ["s_client", "-tls1_3", "-verify_return_error", "-CAfile", &certificate, "-connect"];
    run(plain(token, "openssl").args(asks).arg(format!("127.0.0.1:{port}")).stdin(Stdio::null()))?;
    let asks = ["--no-ca-verification", "--port", &port, "127.0.0.1"];
    let told = run(plain(token, "gnutls-cli").args(asks).stdin(Stdio::null()))?;
    ensure!(told.contains("Handshake was completed"), "{told}");
    Ok(())
}

/// OpenSSL with its engine set up by a file, which holds the PIN: it would be seen on the command line.
pub fn openssl(token: &Token) -> Result<Command> {
    let file = configuration(token)?;
    let mut openssl = plain(token, "openssl");
    openssl.env("OPENSSL_CONF", file);
    Ok(openssl)
}

/// The file that sets the engine up.
pub fn configuration(token: &Token) -> Result<PathBuf> {
    let text = format!(
        "openssl_conf = init\n[init]\nengines = engines\n[engines]\npkcs11 = coloa\n[coloa]\nengine_id = pkcs11\n\
         MODULE_PATH = {}\nPIN = {USER_PIN}\ninit = 0\n[req]\ndistinguished_name = dn\n[dn]\n",
        module()?.display()
    );
    let file = token.scratch.join("openssl.cnf");
    std::fs::write(&file, text)?;
    Ok(file)
}
