//! Laws about crates: read from `cargo metadata`, so that they hold for what is built and not for what is written about it.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// A crate of this workspace: its folder, what it is built with, and what it uses with its tests.
struct Member {
    folder: String,
    needs: BTreeSet<String>,
    uses: BTreeSet<String>,
}

fn members() -> BTreeMap<String, Member> {
    let root = super::sources::root();
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(&root)
        .output()
        .expect("cargo runs");
    assert!(out.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&out.stderr));
    let metadata: Value = serde_json::from_slice(&out.stdout).expect("cargo metadata speaks JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    packages.iter().map(|p| (text(&p["name"]), member(p, &root))).collect()
}

fn member(package: &Value, root: &Path) -> Member {
    let manifest = text(&package["manifest_path"]);
    let folder = Path::new(&manifest).parent().and_then(|d| d.strip_prefix(root).ok()).expect("inside the project");
    let listed = package["dependencies"].as_array().expect("dependencies");
    let needs = listed.iter().filter(|d| d["kind"] != "dev").map(|d| text(&d["name"])).collect();
    let uses = listed.iter().map(|d| text(&d["name"])).collect();
    Member { folder: folder.to_string_lossy().into_owned(), needs, uses }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Everything that `name` is built with, through every crate of the workspace.
fn closure(all: &BTreeMap<String, Member>, name: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![name.to_owned()];
    while let Some(next) = open.pop() {
        for need in all.get(&next).map(|m| m.needs.clone()).unwrap_or_default() {
            if found.insert(need.clone()) {
                open.push(need);
            }
        }
    }
    found
}

#[test]
fn pki_and_daemon_reach_keys_only_through_pkcs11() {
    let all = members();
    let outside = all.iter().filter(|(_, m)| m.folder == "pki" || m.folder.starts_with("daemon/"));
    let mut seen = 0;
    for (name, _) in outside {
        seen += 1;
        let needs = closure(&all, name);
        for engine in ["coloa-engine", "coloa-host", "coloa-client", "coloa-pkcs11", "coloa-crypto-native"] {
            assert!(!needs.contains(engine), "{name} is built with {engine}; keys are reached through `cryptoki`");
        }
    }
    assert!(seen >= 3, "pki, link and linkd were expected, {seen} found");
}

#[test]
fn the_closure_follows_more_than_one_step() {
    let all = members();
    assert!(closure(&all, "coloa-appliance").contains("coloa-engine"), "the law above would see nothing");
}

#[test]
fn nothing_is_built_with_the_tests() {
    for (name, member) in members().iter().filter(|(_, m)| !m.folder.starts_with("hil-tests")) {
        assert!(!member.needs.contains("coloa-hil-tests"), "{name} is built with coloa-hil-tests");
    }
}

#[test]
fn the_engine_does_no_io() {
    let needs = closure(&members(), "coloa-engine");
    for io in ["rusqlite", "rustls", "tokio", "libc", "mio", "aws-lc-rs", "getrandom"] {
        assert!(!needs.contains(io), "the engine is built with {io}");
    }
}

#[test]
fn a_board_holds_no_cryptography() {
    let all = members();
    for (name, member) in all.iter().filter(|(_, m)| m.folder.starts_with("board/")) {
        for cipher in ["p256", "p384", "aes-gcm", "aes", "hmac", "argon2", "ml-kem", "rsa"] {
            assert!(!member.needs.contains(cipher), "{name} names {cipher}: ciphers live in coloa-crypto-portable");
        }
    }
}

#[test]
fn architecture_names_every_library() {
    let root = super::sources::root();
    let text = std::fs::read_to_string(root.join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let all = members();
    for (name, member) in &all {
        for library in member.uses.iter().filter(|l| !all.contains_key(*l)) {
            assert!(
                text.contains(&format!("`{library}`")),
                "ARCHITECTURE.md has no sentence on {library} ({name} uses it)"
            );
        }
    }
}

#[test]
fn default_members_are_the_host_crates() {
    let manifest = std::fs::read_to_string(super::sources::root().join("Cargo.toml")).expect("Cargo.toml");
    let defaults = manifest.split("default-members").nth(1).and_then(|rest| rest.split(']').next()).expect("a list");
    for (name, member) in members() {
        let quoted = format!("\"{}\"", member.folder);
        let board = member.folder.starts_with("board/");
        assert_eq!(defaults.contains(&quoted), !board, "{name} ({}) in default-members", member.folder);
    }
}
