//! A backup from one real `coload` to another, as operators and custodians do it; keys are made and used by `pkcs11-tool`, and
//! OpenSSL judges.
#![forbid(unsafe_code)]

mod site;

use serde_json::Value;
use site::Site;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

const CREATE: [&str; 8] = ["backup", "key", "create", "--threshold", "2", "--holder", "Nguyễn Văn An", "--holder"];

/// The module of the same profile.
fn module() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let coloa = Path::new(env!("CARGO_BIN_EXE_coloa"));
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--locked", "-p", "coloa-pkcs11"]).current_dir(env!("CARGO_MANIFEST_DIR"));
        if coloa.parent().unwrap().ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().unwrap().success(), "the module does not build");
        coloa.with_file_name("libcoloa_pkcs11.so")
    })
}

fn application(site: &Site, pin: &str, words: &[&str]) -> Output {
    let mut tool = Command::new("pkcs11-tool");
    tool.arg("--module").arg(module()).args(["--token-label", "court", "--login", "--pin", pin]).args(words);
    tool.env("COLOA_CONF", site.path("court-srv-1/coloa.toml")).current_dir(site.dir.path()).stdin(Stdio::null());
    tool.output().unwrap()
}

fn applies(site: &Site, words: &[&str]) {
    let out = application(site, "123456", words);
    assert!(out.status.success(), "{words:?}: {}", String::from_utf8_lossy(&out.stderr));
}

/// A site with a token, a client and a key of two shares of three.
fn first() -> Site {
    let site = Site::with_partition("court");
    site.enrol("court", "court-srv-1");
    let words = [&CREATE[..], &["Trần Thị Bình", "--holder", "Lê Cường", "--out-dir", "shares"]].concat();
    let made = site.does(&words);
    assert_eq!((&made["threshold"], made["holders"].as_array().unwrap().len()), (&2.into(), 3));
    site
}

fn second() -> Site {
    let site = Site::new();
    site.does(&["init", "--label", "rack-2"]);
    site
}

/// Carries a file over.
fn carry(from: &Site, to: &Site, name: &str) {
    let to = to.path(name);
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(from.path(name), to).unwrap();
}

fn carry_all(from: &Site, to: &Site, names: &[&str]) {
    names.iter().for_each(|name| carry(from, to, name));
}

/// R20: a key of the first device signs on the second, with the same PIN, and the first's public key verifies.
#[test]
fn a_key_comes_back_on_a_second_appliance() {
    let (first, second) = (first(), second());
    applies(
        &first,
        &["--keypairgen", "--key-type", "EC:prime256v1", "--label", "signer", "--id", "01", "--usage-sign"],
    );
    let full = first.does(&["backup", "create", "--out", "full.bak"]);
    applies(&first, &["--keypairgen", "--key-type", "EC:prime256v1", "--label", "later", "--id", "02", "--usage-sign"]);
    let more = first.does(&["backup", "create", "--out", "more.bak", "--since", "full.bak"]);
    assert_eq!((&full["kind"], &more["kind"], &more["base"]), (&"full".into(), &"incremental".into(), &full["digest"]));
    carry_all(&first, &second, &["full.bak", "more.bak", "shares/share-1.txt", "shares/share-3.txt"]);
    let shares = ["--share", "shares/share-3.txt", "--share", "shares/share-1.txt"];
    let restored = second.does(&[&["backup", "restore", "full.bak", "more.bak"], &shares[..]].concat());
    assert_eq!((&restored["check"], &restored["archive_check"]), (&more["check"], &more["check"]));
    assert_eq!((&restored["objects"], &restored["partitions"][0]), (&4.into(), &"court".into()));
    second.enrol("court", "court-srv-1");
    fs::write(second.path("document"), "Quyết định số 1").unwrap();
    for (id, label) in [("01", "signer"), ("02", "later")] {
        let sign = ["--sign", "--mechanism", "ECDSA-SHA256", "--id", id, "--signature-format", "openssl"];
        applies(&second, &[&sign[..], &["--input-file", "document", "--output-file", "signature"]].concat());
        applies(&first, &["--read-object", "--type", "pubkey", "--label", label, "--output-file", "public.der"]);
        let mut openssl = Command::new("openssl");
        openssl.args(["dgst", "-sha256", "-keyform", "DER", "-verify"]).arg(first.path("public.der"));
        openssl.arg("-signature").arg(second.path("signature")).arg(second.path("document"));
        assert!(openssl.output().unwrap().status.success(), "the first's public key does not verify");
    }
    assert!(!application(&second, "654321", &["--list-objects"]).status.success(), "another PIN logs in");
}

/// R3: on paper a slip is found at its line; a share that is not the right one is named with its holder.
#[test]
fn wrong_shares_are_named() {
    let (first, other, second) = (first(), first(), second());
    first.does(&["backup", "create", "--out", "full.bak"]);
    carry_all(&first, &second, &["full.bak", "shares/share-1.txt", "shares/share-2.txt"]);
    fs::copy(other.path("shares/share-2.txt"), second.path("foreign.txt")).unwrap();
    let restore = |share: &str| second.fails(&["backup", "restore", "full.bak", "--share", share]);
    let said = restore("foreign.txt");
    assert!(said.contains("Trần Thị Bình") && said.contains("another key"), "{said}");
    let text = fs::read_to_string(second.path("shares/share-2.txt")).unwrap();
    let at = text.find("\n 2  ").unwrap() + 6;
    let slip = if text.as_bytes()[at] == b'7' { "8" } else { "7" };
    fs::write(second.path("slip.txt"), format!("{}{slip}{}", &text[..at], &text[at + 1..])).unwrap();
    assert!(restore("slip.txt").contains("line 2"), "{}", restore("slip.txt"));
    let said = restore("shares/share-1.txt");
    assert!(said.contains("1 more") && said.contains("Lê Cường"), "{said}");
    let twice = ["backup", "restore", "full.bak", "--share", "shares/share-1.txt", "--share", "shares/share-1.txt"];
    assert!(second.fails(&twice).contains("given already"));
    assert_eq!(second.does(&["partition", "list"]), serde_json::json!([]));
}

/// Custodians come one after the other, each to a terminal.
#[test]
fn custodians_give_their_shares_one_by_one() {
    let (first, second) = (first(), second());
    first.does(&["backup", "create", "--out", "full.bak"]);
    carry_all(&first, &second, &["full.bak", "shares/share-1.txt", "shares/share-2.txt"]);
    assert!(second.fails(&["backup", "give-share", "--share", "shares/share-1.txt"]).contains("E118"));
    let asked = second.does(&["backup", "restore", "full.bak", "--step", "begin"]);
    assert_eq!((&asked["threshold"], &asked["holders"][2]), (&2.into(), &"Lê Cường".into()));
    let given = second.does(&["backup", "give-share", "--share", "shares/share-2.txt"]);
    assert_eq!((&given["holder"], &given["wanted"]), (&"Trần Thị Bình".into(), &1.into()));
    assert_eq!(second.does(&["backup", "give-share", "--share", "shares/share-1.txt"])["wanted"], 0);
    second.does(&["backup", "restore", "full.bak", "--step", "finish"]);
    assert_eq!(second.does(&["partition", "list"])[0]["label"], "court");
}

/// What a file is, who finds what is wrong with it, and where.
#[test]
fn archives_are_shown_and_verified() {
    let site = first();
    let made = site.does(&["backup", "create", "--out", "full.bak"]);
    let mode = fs::metadata(site.path("full.bak")).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode, site.does(&["backup", "show", "full.bak"])), (0o600, made.clone()));
    assert!(site.fails(&["backup", "create", "--out", "full.bak"]).contains("it exists"));
    site.does(&["backup", "create", "--out", "more.bak", "--since", "full.bak"]);
    let chain = site.does(&["backup", "verify", "full.bak", "more.bak"]);
    assert_eq!(chain[0]["digest"], made["digest"]);
    assert!(site.fails(&["backup", "verify", "more.bak", "full.bak"]).contains("does not build on"));
    let by_device = site.does(&["backup", "verify", "full.bak", "more.bak", "--full"]);
    assert_eq!((&by_device["check"], &by_device["partitions"][0]), (&made["check"], &"court".into()));
    let mut bytes = fs::read(site.path("full.bak")).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(site.path("changed.bak"), &bytes).unwrap();
    let said = site.fails(&["backup", "verify", "changed.bak"]);
    assert!(said.contains("chunk 3"), "{said}");
    let said = site.fails(&["--lang", "vi", "backup", "show", "changed.bak"]);
    assert!(said.contains("khối 3"), "{said}");
    let left: Vec<_> = fs::read_dir(site.dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".part")), "{left:?}");
}

/// Shares are handed out once, to files that only their holders read, and never to a pipe.
#[test]
fn shares_go_to_files_once() {
    let site = Site::operational();
    let more = ["Bình", "--holder", "Cường"];
    assert!(site.fails(&[&CREATE[..], &more].concat()).contains("--out-dir"), "there is no terminal");
    let made = site.does(&[&CREATE[..], &more, &["--out-dir", "shares"]].concat());
    let taken = |holders: &Value| holders.as_array().unwrap().iter().filter(|h| h["taken"] == true).count();
    assert_eq!((taken(&made["holders"]), made["files"].as_array().unwrap().len()), (3, 3));
    for index in 1..=3 {
        let mode = fs::metadata(site.path(&format!("shares/share-{index}.txt"))).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
    }
    let shown = site.does(&["backup", "key", "show"]);
    assert_eq!((&shown["check"], taken(&shown["holders"])), (&made["check"], 3));
    let said = site.fails(&["backup", "key", "hand-out", "--holder", "Bình", "--out-dir", "more"]);
    assert!(said.contains("no share of Bình is waiting"), "{said}");
    assert!(site.fails(&[&CREATE[..], &more, &["--out-dir", "again"]].concat()).contains("E111"));
    let vietnamese =
        site.fails(&["--lang", "vi", "backup", "key", "create", "--threshold", "1", "--holder", "a", "--out-dir", "b"]);
    assert!(vietnamese.contains("khóa sao lưu") || vietnamese.contains("Ngưỡng"), "{vietnamese}");
}
