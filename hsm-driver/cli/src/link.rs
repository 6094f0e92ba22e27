//! `coloa link`: handed over to `coloa-linkd`, which knows its own words; found beside this program, else on the PATH.

use crate::arguments::{Arguments, Lang};
use crate::fault::Fault;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

const PROGRAM: &str = "coloa-linkd";

/// Becomes that program; comes back only when it cannot be started.
pub fn hand_over(arguments: &Arguments, words: &[OsString]) -> Result<(), Fault> {
    let mut linkd = Command::new(beside_us().unwrap_or_else(|| PROGRAM.into()));
    linkd.args(words);
    if let Some(lang) = arguments.lang {
        linkd.args(["--lang", if matches!(lang, Lang::Vi) { "vi" } else { "en" }]);
    }
    if arguments.json {
        linkd.arg("--json");
    }
    Err(Fault::NoLinkd(linkd.exec().to_string()))
}

fn beside_us() -> Option<PathBuf> {
    let file = std::env::current_exe().ok()?.with_file_name(PROGRAM);
    file.is_file().then_some(file)
}
