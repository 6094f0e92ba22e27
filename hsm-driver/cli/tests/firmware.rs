//! Releases of firmware as custodians make them, with keys in files and in tokens (R23, R2).

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const MODULES: [&str; 2] = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"];

/// Custodians' machines; no appliance is near.
struct Desk(TempDir);

impl Desk {
    /// An and Bình have files, Chi has a card; two of them release.
    fn new() -> Self {
        let desk = Desk(tempfile::tempdir().unwrap());
        fs::create_dir(desk.0.path().join("tokens")).unwrap();
        desk.write("softhsm2.conf", format!("directories.tokendir = {}/tokens\n", desk.0.path().display()).as_bytes());
        desk.write("pass", "đúng mật khẩu này\n".as_bytes());
        desk.write("pin", b"123456\n");
        desk.write("board.bin", &[7; 5000]);
        let card = ["--init-token", "--free", "--label", "Chi", "--so-pin", "12345678", "--pin", "123456"];
        assert!(desk.command("softhsm2-util", &card).status.success());
        for name in ["an", "binh"] {
            desk.does(&["custodian", "new", "--out", &format!("{name}.key"), "--passphrase-file", "pass"]);
        }
        desk.does(&[&["custodian", "new", "--out", "chi.pub"][..], &card_key()].concat());
        let custodians =
            ["--custodian", "An=an.key.pub", "--custodian", "Bình=binh.key.pub", "--custodian", "Chi=chi.pub"];
        desk.does(&[&["firmware", "trust", "--threshold", "2", "--out", "trust"][..], &custodians].concat());
        let words = ["--body", "mps2-an386", "--version", "1.2.0", "--lowest", "1.1.0", "--out", "board.clfw"];
        let made = desk.does(&[&["firmware", "new", "board.bin"][..], &words].concat());
        assert_eq!((&made["version"], &made["signatures"]), (&"1.2.0".into(), &0.into()));
        desk
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.0.path().join(name), bytes).unwrap();
    }

    fn command(&self, program: &str, words: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.args(words).current_dir(self.0.path()).stdin(Stdio::null()).env("LC_ALL", "C");
        command.env("SOFTHSM2_CONF", self.0.path().join("softhsm2.conf")).output().unwrap()
    }

    fn does(&self, words: &[&str]) -> Value {
        let out = self.command(env!("CARGO_BIN_EXE_coloa"), &[&["--json"], words].concat());
        assert!(out.status.success(), "{words:?}: {}", String::from_utf8_lossy(&out.stderr));
        serde_json::from_slice(&out.stdout).unwrap()
    }

    fn fails(&self, words: &[&str]) -> String {
        let out = self.command(env!("CARGO_BIN_EXE_coloa"), words);
        assert!(!out.status.success(), "{words:?} succeeds: {}", String::from_utf8_lossy(&out.stdout));
        String::from_utf8(out.stderr).unwrap()
    }

    fn signs(&self, key: &[&str]) -> Value {
        self.does(&[&SIGN[..], &["--confirm", "release"], key].concat())
    }

    fn verify(&self, more: &[&'static str]) -> Vec<&'static str> {
        [&["firmware", "verify", "board.clfw", "--image", "board.bin", "--trust", "trust"][..], more].concat()
    }
}

const SIGN: [&str; 5] = ["firmware", "sign", "board.clfw", "--image", "board.bin"];
const AN: [&str; 4] = ["--key", "an.key", "--passphrase-file", "pass"];

fn card_key() -> [&'static str; 8] {
    let module =
        MODULES.into_iter().find(|path| Path::new(path).exists()).expect("`cargo xtask setup` installs SoftHSM2");
    ["--module", module, "--token", "Chi", "--label", "quorum", "--user-pin-file", "pin"]
}

#[test]
fn a_file_and_a_card_release_and_one_alone_does_not() {
    let desk = Desk::new();
    assert_eq!(desk.signs(&AN)["signatures"], 1);
    assert!(desk.fails(&desk.verify(&[])).contains("signed by 1 of the 2"));
    assert_eq!(desk.signs(&AN)["signatures"], 1, "a custodian speaks once");
    assert_eq!(desk.signs(&card_key())["signatures"], 2);
    let shown = desk.does(&["firmware", "show", "board.clfw", "--trust", "trust"]);
    assert_eq!(shown["signers"], serde_json::json!(["An", "Chi"]));
    assert_eq!(desk.does(&desk.verify(&["--body", "mps2-an386", "--lowest", "1.2.0"]))["version"], "1.2.0");
    assert!(desk.fails(&desk.verify(&["--lowest", "1.2.1"])).contains("cannot be rolled back"));
    assert!(desk.fails(&desk.verify(&["--body", "appliance"])).contains("for \"mps2-an386\""));
    desk.write("board.bin", &[8; 5000]);
    assert!(desk.fails(&desk.verify(&[])).contains("not the image that was signed"));
}

#[test]
fn nobody_signs_what_he_did_not_mean() {
    let desk = Desk::new();
    let said = desk.fails(&[&SIGN[..], &["--confirm", "approve"], &AN].concat());
    assert!(said.contains("Nothing was signed") && said.contains("1.2.0"), "{said}");
    desk.write("board.bin", b"another");
    assert!(desk.fails(&[&SIGN[..], &["--confirm", "release"], &AN].concat()).contains("not the image"));
    assert_eq!(desk.does(&["firmware", "show", "board.clfw"])["signatures"], 0);
    desk.write("board.clfw", b"CLFW");
    assert!(desk.fails(&["firmware", "show", "board.clfw"]).contains("damaged"));
    let words = ["--lowest", "1.3.0", "--body", "x", "--version", "1.2.0", "--out", "y"];
    desk.fails(&[&["firmware", "new", "board.bin"][..], &words].concat());
    let alone = ["firmware", "trust", "--threshold", "1", "--custodian", "An=an.key.pub", "--out", "alone"];
    assert!(desk.fails(&alone).contains("not valid"));
}
