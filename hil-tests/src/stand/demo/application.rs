//! An application of a token: pkcs11-tool makes keys and signs, OpenSSL verifies.

use anyhow::{Context, Result, bail, ensure};
use coloa_hil_tests::body::pkcs11_tool;
use coloa_hil_tests::built;
use coloa_hil_tests::openssl::info_of_point;
use coloa_hil_tests::target::{LABEL, Target, USER_PIN};
use coloa_hil_tests::token::Curve;
use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A user of one token.
pub struct Application {
    pub module: PathBuf,
    pub environment: Vec<(OsString, OsString)>,
    pub token: String,
    pub pin: String,
    /// Where its files go.
    pub dir: PathBuf,
}

impl Application {
    /// The user of a target's token; files go to `dir`.
    pub fn of(target: &dyn Target, dir: &Path) -> Self {
        Self {
            module: target.module().to_owned(),
            environment: target.environment(),
            token: LABEL.into(),
            pin: USER_PIN.into(),
            dir: dir.to_owned(),
        }
    }

    /// `pkcs11-tool` on the module.
    pub fn tool(&self, words: &[&str]) -> Result<String> {
        pkcs11_tool(&self.module, &self.environment, words)
    }

    /// `pkcs11-tool`, logged in as the user.
    pub fn as_user(&self, words: &[&str]) -> Result<String> {
        self.tool(&[&["--token-label", &self.token, "--login", "--pin", &self.pin], words].concat())
    }

    /// Makes a key pair and writes its public key to `LABEL.der`.
    pub fn make_key(&self, label: &str, curve: Curve) -> Result<String> {
        let name = match curve {
            Curve::P256 => "EC:prime256v1",
            Curve::P384 => "EC:secp384r1",
        };
        self.as_user(&["--keypairgen", "--key-type", name, "--usage-sign", "--label", label, "--id", "01"])?;
        let file = self.file(&format!("{label}.der"))?;
        // --read-object of opensc 0.23 can P-256 only; the point is in the list
        let listed =
            self.tool(&["--token-label", &self.token, "--list-objects", "--type", "pubkey", "--label", label])?;
        let point =
            listed.lines().find_map(|l| l.trim().strip_prefix("EC_POINT:")).context("no public key is listed")?;
        std::fs::write(&file, info_of_point(&hexadecimal(point.trim())?, curve)?)?;
        let said = openssl(&["pkey", "-pubin", "-inform", "DER", "-in", &file, "-noout", "-text_pub"])?;
        said.lines().find_map(|l| l.strip_prefix("NIST CURVE: ")).map(str::to_owned).context("OpenSSL names no curve")
    }

    /// Signs a new document and has OpenSSL verify it with the public key in `LABEL.der`; another document must fail.
    pub fn sign(&self, label: &str, mechanism: &str, hash: &str, text: &str) -> Result<String> {
        let (document, signature) = (self.file("document.txt")?, self.file("document.sig")?);
        std::fs::write(&document, text)?;
        let words = ["--sign", "--mechanism", mechanism, "--signature-format", "openssl", "--label", label];
        self.as_user(&[&words, ["--input-file", &document, "--output-file", &signature].as_slice()].concat())?;
        let said = self.verify(label, hash, &document, &signature)?;
        std::fs::write(&document, format!("{text}, altered"))?;
        let altered = self.verify(label, hash, &document, &signature);
        ensure!(altered.is_err(), "OpenSSL takes an altered document: its word is worth nothing");
        Ok(said)
    }

    fn verify(&self, label: &str, hash: &str, document: &str, signature: &str) -> Result<String> {
        let (hash, key) = (format!("-{hash}"), self.file(&format!("{label}.der"))?);
        let said = openssl(&["dgst", &hash, "-keyform", "DER", "-verify", &key, "-signature", signature, document])?;
        Ok(said.trim().to_owned())
    }

    /// Encrypts a file with encrypt.py and decrypts it in another process; `cmp` and `grep` judge.
    pub fn encrypt_a_file(&self) -> Result<String> {
        let [plain, sealed, opened] = ["plain.txt", "plain.sealed", "plain.opened"].map(|name| self.file(name));
        let (plain, sealed, opened) = (plain?, sealed?, opened?);
        std::fs::write(&plain, "Công văn mật, không để lộ.\n".repeat(40))?;
        for (verb, from, to) in [("seal", &plain, &sealed), ("open", &sealed, &opened)] {
            let program = built::root().join("hil-tests/programs/encrypt.py");
            let mut python = Command::new("python3");
            python.arg(program).arg(verb).arg(&self.module).args([&self.token, &self.pin, from, to]);
            good(python.envs(self.environment.iter().cloned()))?;
        }
        good(Command::new("cmp").args([&plain, &opened])).context("decrypted is not what was encrypted")?;
        let leaks = Command::new("grep").args(["-q", "-a", "-F", "không", &sealed]).status()?.success();
        ensure!(!leaks, "the ciphertext holds the plaintext");
        Ok(format!("{} bytes came back alike, none of them readable between", std::fs::metadata(&plain)?.len()))
    }

    /// Writes `env`, to be sourced by someone who looks around.
    pub fn write_environment(&self) -> Result<()> {
        let mut text = String::new();
        for (key, value) in &self.environment {
            writeln!(text, "export {}='{}'", key.display(), value.display())?;
        }
        writeln!(text, "export PKCS11_MODULE='{}'", self.module.display())?;
        Ok(std::fs::write(self.dir.join("env"), text)?)
    }

    fn file(&self, name: &str) -> Result<String> {
        self.dir.join(name).to_str().map(str::to_owned).context("a path of UTF-8")
    }
}

fn openssl(words: &[&str]) -> Result<String> {
    good(Command::new("openssl").args(words))
}

fn good(command: &mut Command) -> Result<String> {
    let out = command.output().with_context(|| format!("cannot start {:?}", command.get_program()))?;
    let said = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
    if !out.status.success() {
        bail!("{:?}: {}", command.get_program(), said.trim());
    }
    Ok(said)
}

fn hexadecimal(text: &str) -> Result<Vec<u8>> {
    let pairs =
        text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair)?, 16).map_err(Into::into));
    pairs.collect()
}
