//! The programs that people use, each with its own way through the module. A missing program fails the check.

use crate::body::free_port;
use crate::target::{LABEL, USER_PIN};
use crate::token::{MODULE, Token};
use anyhow::{Context, Result, bail, ensure};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
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

/// A certificate, a signed message, and a TLS 1.3 server whose key is in the token; OpenSSL and GnuTLS judge.
pub fn openssl_engine(token: &Token) -> Result<()> {
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
    let since = Instant::now();
    while std::net::TcpStream::connect(format!("127.0.0.1:{port}")).is_err() {
        ensure!(since.elapsed() < START, "it does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
    let asks = ["s_client", "-tls1_3", "-verify_return_error", "-CAfile", &certificate, "-connect"];
    run(plain(token, "openssl").args(asks).arg(format!("127.0.0.1:{port}")).stdin(Stdio::null()))?;
    let asks = ["--no-ca-verification", "--port", &port, "127.0.0.1"];
    let told = run(plain(token, "gnutls-cli").args(asks).stdin(Stdio::null()))?;
    ensure!(told.contains("Handshake was completed"), "{told}");
    Ok(())
}

/// GnuTLS lists the token, signs with its keys and verifies with both halves.
pub fn gnutls(token: &Token) -> Result<()> {
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

/// Java makes key entries with certificates through SunPKCS11 and finds them again.
pub fn java(token: &Token) -> Result<()> {
    let module = module()?;
    let slot = format!("name = coloa\nlibrary = {}\nslot = {}\n", module.display(), token.slot.id());
    std::fs::write(token.scratch.join("sun.cfg"), slot)?;
    let keytool = |words: &[&str]| {
        let store = ["-keystore", "NONE", "-storetype", "PKCS11", "-storepass", USER_PIN];
        let provider = ["-providerClass", "sun.security.pkcs11.SunPKCS11", "-providerArg", "sun.cfg"];
        run(plain(token, "keytool").args(words).args(store).args(provider))
    };
    let rsa = ["-keyalg", "RSA", "-keysize", "2048", "-sigalg", "SHA256withRSA"];
    let ec = ["-keyalg", "EC", "-groupname", "secp384r1", "-sigalg", "SHA384withECDSA"];
    for (alias, how) in [("java-rsa", rsa.as_slice()), ("java-ec", ec.as_slice())] {
        keytool(&[["-genkeypair", "-alias", alias, "-dname", &format!("CN={alias}")].as_slice(), how].concat())?;
        let listed = keytool(&["-list"])?;
        ensure!(listed.contains(&format!("{alias}, PrivateKeyEntry")), "{listed}");
        keytool(&["-certreq", "-alias", alias, "-file", "java.csr"])?;
        let told = run(plain(token, "openssl").args(["req", "-in", "java.csr", "-noout", "-verify"]))?;
        ensure!(!told.to_lowercase().contains("fail"), "{told}");
        keytool(&["-delete", "-alias", alias])?;
    }
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

fn module() -> Result<PathBuf> {
    std::env::var_os(MODULE).map(PathBuf::from).context("the suite names the module")
}

fn tool(token: &Token, words: &[&str]) -> Result<String> {
    let mut tool = plain(token, "pkcs11-tool");
    tool.arg("--module").arg(module()?).args(["--token-label", LABEL, "--login", "--pin", USER_PIN]);
    run(tool.args(words))
}

fn p11tool(token: &Token) -> Result<Command> {
    let mut tool = plain(token, "p11tool");
    tool.arg("--provider").arg(module()?).env("GNUTLS_PIN", USER_PIN);
    Ok(tool)
}

/// OpenSSL with its engine set up by a file, which holds the PIN: it would be seen on the command line.
fn openssl(token: &Token) -> Result<Command> {
    let text = format!(
        "openssl_conf = init\n[init]\nengines = engines\n[engines]\npkcs11 = coloa\n[coloa]\nengine_id = pkcs11\n\
         MODULE_PATH = {}\nPIN = {USER_PIN}\ninit = 0\n[req]\ndistinguished_name = dn\n[dn]\n",
        module()?.display()
    );
    let file = token.scratch.join("openssl.cnf");
    std::fs::write(&file, text)?;
    let mut openssl = plain(token, "openssl");
    openssl.env("OPENSSL_CONF", file);
    Ok(openssl)
}

/// A program in the check's folder.
fn plain(token: &Token, program: &str) -> Command {
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
