//! A registrar's desk for tests: SoftHSM2 tokens in a temporary directory, `coloa-pki` as a process, OpenSSL as judge.
#![allow(dead_code)] // each test file uses its part

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const MODULES: [&str; 2] = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"];

/// Temporary files, tokens and the PIN that opens them.
pub struct Desk {
    directory: TempDir,
}

impl Desk {
    /// A desk with these tokens, all with the user PIN `123456`.
    pub fn with_tokens(labels: &[&str]) -> Desk {
        let desk = Desk { directory: tempfile::tempdir().unwrap() };
        fs::create_dir(desk.path("tokens")).unwrap();
        let config = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            desk.path("tokens").display()
        );
        fs::write(desk.path("softhsm2.conf"), config).unwrap();
        fs::write(desk.path("pin"), "123456\n").unwrap();
        for label in labels {
            let arguments = ["--init-token", "--free", "--label", label, "--so-pin", "12345678", "--pin", "123456"];
            succeed(desk.command("softhsm2-util").args(arguments));
        }
        desk
    }

    /// A desk with a root and an issuing authority, in tokens `ca` and `site`.
    pub fn founded() -> Desk {
        let desk = Desk::with_tokens(&["ca", "site"]);
        desk.pki("init-root --dir root --token ca --pin-file pin --label root --subject CN=Gốc,O=Cơ_quan,C=VN");
        desk.pki(
            "init-issuing --dir issuing --root-dir root --root-pin-file pin --token ca --pin-file pin --label issuing \
             --subject CN=Issuing,O=Authority,C=VN --crl-url http://pki.example/crl",
        );
        desk
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// A command in this desk's directory and environment.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.directory.path())
            .env("SOFTHSM2_CONF", self.path("softhsm2.conf"))
            .env("PKCS11_MODULE", module())
            .env("LC_ALL", "C");
        command
    }

    /// Runs `coloa-pki --json` with arguments split at spaces (`_` in a value stays as it is).
    pub fn try_pki(&self, arguments: &str) -> Output {
        let mut command = self.command(env!("CARGO_BIN_EXE_coloa-pki"));
        command.arg("--json").args(arguments.split_whitespace()).output().unwrap()
    }

    /// The JSON of a command that succeeds.
    pub fn pki(&self, arguments: &str) -> Value {
        let output = self.try_pki(arguments);
        assert!(output.status.success(), "{arguments}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The number of the error of a command that fails; its sentences must not be empty.
    pub fn refused(&self, arguments: &str) -> u64 {
        let output = self.try_pki(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments}: {}", text(&output.stderr));
        let error: Value = serde_json::from_slice(&output.stderr).unwrap();
        assert!(error["what"].as_str().unwrap().len() > 10 && error["next"].as_str().unwrap().len() > 10);
        error["error"].as_u64().unwrap()
    }

    /// Standard output of an OpenSSL command that succeeds.
    pub fn openssl(&self, arguments: &[&str]) -> String {
        text(&succeed(self.command("openssl").args(arguments)).stdout)
    }

    /// Everything an OpenSSL command says, and whether it succeeded.
    pub fn judge(&self, arguments: &[&str]) -> (bool, String) {
        let output = self.command("openssl").args(arguments).output().unwrap();
        (output.status.success(), text(&output.stdout) + &text(&output.stderr))
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub fn module() -> &'static str {
    MODULES.into_iter().find(|m| fs::exists(m).unwrap()).expect("SoftHSM2 is missing: apt-get install softhsm2")
}

fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}: {}", text(&output.stderr));
    output
}
