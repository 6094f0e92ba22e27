//! The programs of `examples/`. All are called alike: TOKEN PIN-FILE DOCUMENT, with the module in `PKCS11_MODULE`.

use super::gnutls::p11tool;
use super::{module, plain, run, tool_command};
use crate::body::Embedded;
use crate::built;
use crate::target::{LABEL, Target, USER_PIN};
use crate::token::Token;
use anyhow::{Context, Result, ensure};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

/// What is signed and encrypted.
const DOCUMENT: &str = "Quyet dinh so 2\n";
/// The keys that every example uses, made as `examples/README.md` says.
const KEYS: [&[&str]; 2] = [
    &["--keypairgen", "--key-type", "EC:prime256v1", "--usage-sign", "--label", "example", "--id", "e0"],
    &["--keygen", "--key-type", "AES:32", "--usage-decrypt", "--sensitive", "--label", "example-aes", "--id", "e1"],
];

/// The programs do their work on the suite's token and in a strict partition, and say what is wrong with what they are given.
///
/// Each is a command line without its arguments.
pub fn work(token: &Token, programs: &[Vec<PathBuf>]) -> Result<()> {
    let strict = Embedded::strict()?;
    for (kind, environment) in [("compatible", vec![]), ("strict", strict.environment())] {
        for program in programs {
            let example = Example { token, environment: &environment, program };
            example.works().with_context(|| format!("{program:?} in a {kind} partition"))?;
        }
    }
    Ok(())
}

/// The one in C, compiled as its Makefile does it, with every warning an error.
pub fn c(token: &Token) -> Result<()> {
    let mut make = plain(token, "make");
    make.arg("-C").arg(built::root().join("examples/c")).arg(format!("OUT={}", token.scratch.display()));
    run(make.arg("CFLAGS=-O2 -Wall -Wextra -Werror"))?;
    work(token, &[vec![token.scratch.join("sign_and_encrypt")]])
}

/// The one in Rust, with `cryptoki`.
pub fn rust(token: &Token) -> Result<()> {
    built::build(&["coloa-example"])?;
    work(token, &[vec![built::program("coloa-example")?]])
}

/// A program with a token.
struct Example<'a> {
    token: &'a Token,
    environment: &'a [(OsString, OsString)],
    program: &'a [PathBuf],
}

impl Example<'_> {
    fn works(&self) -> Result<()> {
        for file in ["document", "document.sig", "document.gcm"] {
            std::fs::remove_file(self.token.scratch.join(file)).ok();
        }
        self.write("document", DOCUMENT)?;
        self.write("pin", &format!("{USER_PIN}\n"))?;
        self.write("wrong-pin", "654321\n")?;
        self.complains(LABEL, "pin", "examples/README.md")?;
        for key in KEYS {
            self.tool(key)?;
        }
        self.complains("no such token", "pin", "coloa doctor")?;
        self.complains(LABEL, "wrong-pin", "the PIN is wrong")?;
        run(&mut self.program(LABEL, "pin")?)?;
        self.signature_holds()?;
        self.ciphertext_opens()?;
        for (kind, label) in [("privkey", "example"), ("pubkey", "example"), ("secrkey", "example-aes")] {
            self.tool(&["--delete-object", "--type", kind, "--label", label])?;
        }
        Ok(())
    }

    /// It fails, and what it says leads on.
    fn complains(&self, label: &str, pin: &str, about: &str) -> Result<()> {
        let out = self.program(label, pin)?.output().context("`cargo xtask setup` installs what the examples need")?;
        let said = String::from_utf8_lossy(&out.stderr);
        ensure!(!out.status.success() && said.contains(about), "not a word about {about} ({}): {said}", out.status);
        ensure!(said.lines().count() == 1, "more than one line: {said}");
        Ok(())
    }

    /// OpenSSL verifies the document, and not another one.
    fn signature_holds(&self) -> Result<()> {
        let url = format!("pkcs11:token={LABEL};object=example;type=public");
        // not `pkcs11-tool --read-object`: that of opensc 0.23 uses freed memory for EC keys
        let mut export = p11tool(self.token)?;
        export.args(["--export", &url, "--outfile", "example.pem"]);
        run(export.envs(self.environment.iter().cloned()))?;
        let verify = || {
            let words = ["dgst", "-sha256", "-verify", "example.pem", "-signature", "document.sig", "document"];
            run(plain(self.token, "openssl").args(words))
        };
        verify()?;
        self.write("document", "Quyet dinh so 3\n")?;
        ensure!(verify().is_err(), "a signature holds for another document");
        Ok(())
    }

    /// Another program decrypts it.
    fn ciphertext_opens(&self) -> Result<()> {
        let opener = built::root().join("hil-tests/programs/encrypt.py");
        let mut open = plain(self.token, "python3");
        open.arg(opener).arg("open").arg(module()?).args([LABEL, USER_PIN, "document.gcm", "opened", "example-aes"]);
        run(open.envs(self.environment.iter().cloned()))?;
        let opened = std::fs::read_to_string(self.token.scratch.join("opened"))?;
        ensure!(opened == DOCUMENT, "decrypted is {opened:?}");
        let sealed = std::fs::read(self.token.scratch.join("document.gcm"))?;
        ensure!(!sealed.starts_with(&[0; 12]), "the IV is all zeros");
        Ok(())
    }

    fn write(&self, file: &str, text: &str) -> Result<()> {
        Ok(std::fs::write(self.token.scratch.join(file), text)?)
    }

    fn program(&self, label: &str, pin: &str) -> Result<Command> {
        let (name, first) = self.program.split_first().context("a program")?;
        let mut program = plain(self.token, name);
        program.args(first).args([label, pin, "document"]).env("PKCS11_MODULE", module()?);
        program.envs(self.environment.iter().cloned());
        Ok(program)
    }

    fn tool(&self, words: &[&str]) -> Result<String> {
        run(tool_command(self.token)?.args(words).envs(self.environment.iter().cloned()))
    }
}
