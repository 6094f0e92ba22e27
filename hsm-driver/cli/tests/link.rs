//! `coloa link`: the words reach `coloa-linkd` as they are, and its exit code comes back.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

/// `coloa` in a folder of its own, where nothing lies beside it.
fn alone() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let coloa = folder.path().join("coloa");
    std::fs::copy(env!("CARGO_BIN_EXE_coloa"), &coloa).unwrap();
    (folder, coloa)
}

/// Its output. A program that was just written may still be open in a child that another test is starting.
fn output(command: &mut Command) -> Output {
    loop {
        match command.output() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
            other => return other.unwrap(),
        }
    }
}

#[test]
fn words_and_language_are_handed_over() {
    let (folder, coloa) = alone();
    let linkd = folder.path().join("coloa-linkd");
    std::fs::write(&linkd, "#!/bin/sh\necho \"$@\"\nexit 3\n").unwrap();
    std::fs::set_permissions(&linkd, std::fs::Permissions::from_mode(0o755)).unwrap();
    let words = ["--lang", "vi", "link", "why", "10.1.2.3", "10.9.8.7", "--port", "443", "--help"];
    let out = output(Command::new(&coloa).args(words));
    assert_eq!(String::from_utf8_lossy(&out.stdout), "why 10.1.2.3 10.9.8.7 --port 443 --help --lang vi\n");
    assert_eq!(out.status.code(), Some(3));
}

#[test]
fn a_missing_program_is_named() {
    let (folder, coloa) = alone();
    let out = output(Command::new(&coloa).args(["link", "status"]).env("PATH", folder.path()));
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(!out.status.success() && said.contains("coloa-linkd") && said.contains("Install"), "{said}");
}
