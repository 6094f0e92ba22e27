//! Laws about what stands in a file: `no_std`, `unsafe`, panics, size, names.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where `unsafe` may stand; ARCHITECTURE.md names each.
const UNSAFE: &[&str] = &[
    "hsm-driver/pkcs11/src/abi",
    "hsm-driver/pkcs11/tests/",
    "firmware/crypto-native/src/ffi",
    "firmware/store-sqlite/src/announce.rs",
    "daemon/link/tests/allocations.rs",
    "daemon/linkd/src/tun",
    "daemon/linkd/src/udp",
    "daemon/linkd/src/netns",
    "hil-tests/p11bench/src/module.rs",
    "hil-tests/kryoptic/",
    "board/",
];
/// Crates without an operating system under them.
const NO_STD: &[&str] = &[
    "firmware/wire",
    "firmware/engine",
    "firmware/crypto-portable",
    "firmware/store-nor",
    "firmware/image",
    "firmware/tls-portable",
    "daemon/link",
];
/// What parses hostile bytes and must not panic.
const NO_PANIC: &[&str] = &["firmware/wire/src/", "firmware/engine/src/", "daemon/link/src/"];
/// A file near 400 lines asks to be split; at this it must be.
const MAX_LINES: usize = 600;
/// Boards differ by crate, never by feature.
const MAX_FEATURES: usize = 20;
/// 95 of 100 functions are shorter than this.
const LONG_FUNCTION: usize = 45;

/// A source file of the project: its path from the root and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The lines before the file's tests, without comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().take_while(|(_, l)| !l.trim_start().starts_with("#[cfg(test)]"));
        lines.map(|(n, l)| (n + 1, l.split("//").next().unwrap_or(l)))
    }

    fn is_test(&self) -> bool {
        ["/tests/", "/benches/", "/fuzz/", "/examples/"].iter().any(|part| self.path.contains(part))
            || self.path.ends_with("tests.rs")
    }
}

/// The project's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("two folders below the root").to_owned()
}

/// Every source but this one, which names what it forbids.
fn sources() -> Vec<Source> {
    let out = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"])
        .current_dir(root())
        .output()
        .expect("git runs");
    let names = String::from_utf8(out.stdout).expect("names are UTF-8");
    let others = names.lines().filter(|path| !path.ends_with("laws/sources.rs"));
    let files = others.filter_map(|path| {
        let text = std::fs::read_to_string(root().join(path)).ok()?;
        Some(Source { path: path.to_owned(), text })
    });
    let files: Vec<_> = files.collect();
    assert!(files.len() > 10, "only {} sources were found", files.len());
    files
}

fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.split(|c: char| !is_part(c)).any(|w| w == word)
}

/// The law's verdict: every offence on its own line.
fn none(law: &str, offences: Vec<String>) {
    assert!(offences.is_empty(), "{law}:\n  {}", offences.join("\n  "));
}

fn offences(files: &[Source], judge: impl Fn(&Source, &str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        for (n, line) in file.code().filter(|(_, line)| judge(file, line)) {
            found.push(format!("{}:{n}: {}", file.path, line.trim()));
        }
    }
    found
}

#[test]
fn unsafe_stands_only_in_named_files() {
    let files = sources();
    let found = offences(&files, |file, line| {
        has_word(line, "unsafe") && !UNSAFE.iter().any(|allowed| file.path.starts_with(allowed))
    });
    none("`unsafe` outside the files that ARCHITECTURE.md names", found);
}

#[test]
fn architecture_names_every_file_that_may_be_unsafe() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    for allowed in UNSAFE {
        assert!(text.contains(&format!("`{allowed}")), "ARCHITECTURE.md does not name `{allowed}`");
    }
}

#[test]
fn every_crate_forbids_unsafe_or_names_where_it_is() {
    let roots = ["/src/lib.rs", "/src/main.rs"];
    let files = sources();
    let bare = files.iter().filter(|f| roots.iter().any(|r| f.path.ends_with(r)) && !f.path.starts_with("board/"));
    let bare = bare.filter(|f| !["forbid", "deny"].iter().any(|l| f.text.contains(&format!("#![{l}(unsafe_code)]"))));
    none("crate roots without `#![forbid(unsafe_code)]` (or deny)", bare.map(|f| f.path.clone()).collect());
}

#[test]
fn what_runs_on_a_board_is_no_std() {
    for folder in NO_STD {
        let text = std::fs::read_to_string(root().join(folder).join("src/lib.rs")).expect("lib.rs");
        let attribute =
            text.lines().any(|l| l.starts_with("#![no_std]") || l.starts_with("#![cfg_attr(not(test), no_std)]"));
        assert!(attribute, "{folder} is not no_std");
    }
}

#[test]
fn nothing_that_parses_can_panic() {
    let files = sources();
    let panics = [".unwrap()", ".expect(", "panic!(", "unreachable!(", "assert!("];
    let found = offences(&files, |file, line| {
        NO_PANIC.iter().any(|p| file.path.starts_with(p))
            && !file.is_test()
            && panics.iter().any(|p| line.contains(p))
            && !line.contains("const _")
    });
    none("can panic where nothing may", found);
}

#[test]
fn firmware_holds_no_register() {
    let files = sources();
    let words = ["read_volatile", "write_volatile", "cortex_m", "cortex_m_rt"];
    let found = offences(&files, |f, line| f.path.starts_with("firmware/") && words.iter().any(|w| has_word(line, w)));
    none("registers belong to board/", found);
}

#[test]
fn features_are_few() {
    let files = sources();
    let found = offences(&files, |_, line| line.contains("cfg") && line.contains("feature = \""));
    assert!(found.len() <= MAX_FEATURES, "{} cfg(feature):\n  {}", found.len(), found.join("\n  "));
}

#[test]
fn files_are_small_and_say_first_what_they_are() {
    let files = sources();
    let long = files.iter().filter(|f| f.text.lines().count() > MAX_LINES);
    none("files over 600 lines", long.map(|f| f.path.clone()).collect());
    let silent = files.iter().filter(|f| !f.text.starts_with("//!"));
    none("files that do not start with `//!`", silent.map(|f| f.path.clone()).collect());
}

#[test]
fn no_file_is_a_drawer() {
    let drawers = ["utils", "util", "common", "misc", "helpers", "helper"];
    let files = sources();
    let parts = |f: &Source| f.path.split(['/', '.']).any(|part| drawers.contains(&part));
    none("names that say nothing", files.iter().filter(|f| parts(f)).map(|f| f.path.clone()).collect());
}

#[test]
fn nothing_is_left_for_later() {
    let files = sources();
    let marks = ["TODO", "FIXME", "XXX"];
    let lines = files.iter().flat_map(|f| f.text.lines().enumerate().map(move |(n, l)| (f, n + 1, l)));
    let found = lines.filter(|(_, _, l)| marks.iter().any(|m| has_word(l, m)));
    none("left for later", found.map(|(f, n, l)| format!("{}:{n}: {}", f.path, l.trim())).collect());
}

#[test]
fn functions_are_short() {
    let files = sources();
    let mut lengths: Vec<_> = files.iter().flat_map(|f| function_lengths(&f.text)).collect();
    lengths.sort_unstable();
    let at = |percent: usize| lengths.get(lengths.len() * percent / 100).copied().unwrap_or(0);
    println!("{} functions: median {} lines, 95 % under {}", lengths.len(), at(50), at(95));
    assert!(at(95) <= LONG_FUNCTION, "95 % of the functions are under {}, not {LONG_FUNCTION}", at(95));
}

/// rustfmt ends a function with a brace at the indentation at which it began.
fn function_lengths(text: &str) -> Vec<usize> {
    let lines: Vec<_> = text.lines().collect();
    let mut lengths = Vec::new();
    for (start, line) in
        lines.iter().enumerate().filter(|(_, l)| has_word(l, "fn") && !l.trim_start().starts_with("//"))
    {
        let indent = line.len() - line.trim_start().len();
        let end = format!("{}}}", " ".repeat(indent));
        let body = lines.iter().skip(start);
        if let Some(n) = body.take(300).position(|l| *l == end) {
            lengths.push(n + 1);
        }
    }
    lengths
}

#[test]
fn a_planted_offence_is_seen() {
    let planted = Source { path: "pki/src/x.rs".into(), text: "//! x\nfn f() { unsafe { g() } } // unsafe\n".into() };
    let found = offences(&[planted], |_, line| has_word(line, "unsafe"));
    assert_eq!(found, ["pki/src/x.rs:2: fn f() { unsafe { g() } }"]);
    assert_eq!(function_lengths("fn a() {\n    x();\n}\n"), [3]);
}
