//! Sabotages: the tree is copied, one line of the copy is changed, and the test that is named must fail.
//!
//! A sabotage that does not compile, that finds its line not exactly once, or whose test passes all the same, shows nothing:
//! each of those is a failure.

use super::Sabotage;
use super::cited::{self, Program};
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A copy of the tree, with a build folder of its own.
pub struct Copy {
    tree: PathBuf,
    built: PathBuf,
}

/// What became of a sabotage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The test failed, as it must.
    Noticed,
    /// The test passed.
    Unnoticed,
    /// The changed tree does not build, or the test is not there; the last lines of what cargo said.
    Broken(String),
}

impl Copy {
    /// Copies what is in the tree now; what has not changed since the last time is left as it is, so that little is built.
    ///
    /// # Errors
    /// A file cannot be copied.
    pub fn make(root: &Path, target: &Path) -> Result<Self> {
        let copy = Copy { tree: target.join("sabotage/tree"), built: target.join("sabotage/build") };
        let wanted = cited::files(root, &["*"])?;
        for path in &wanted {
            write_if_other(&copy.tree.join(path), &std::fs::read(root.join(path))?)?;
        }
        let wanted: BTreeSet<_> = wanted.iter().map(|path| copy.tree.join(path)).collect();
        remove_others(&copy.tree, &wanted)?;
        Ok(copy)
    }

    /// Changes the line, runs the test, changes it back.
    ///
    /// # Errors
    /// What the sabotage changes does not stand there exactly once, or a program does not start.
    pub fn try_out(&self, sabotage: &Sabotage, program: &Program) -> Result<Outcome> {
        let path = self.tree.join(&sabotage.file);
        let whole = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        std::fs::write(&path, changed(&whole, sabotage)?)?;
        let outcome = self.run(program, &sabotage.fails);
        std::fs::write(&path, whole)?;
        outcome
    }

    fn run(&self, program: &Program, test: &str) -> Result<Outcome> {
        let mut cargo = Command::new("cargo");
        cargo.args(["test", "--locked", "--color", "never"]).args(program.words()).args(["--", test]);
        cargo.current_dir(&self.tree).env("CARGO_TARGET_DIR", &self.built).env("CARGO_INCREMENTAL", "0");
        let out = cargo.env_remove("LD_LIBRARY_PATH").output().context("cargo does not run")?;
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        Ok(verdict(&said, test).unwrap_or_else(|| Outcome::Broken(last_lines(&String::from_utf8_lossy(&out.stderr)))))
    }
}

/// The file's text with the sabotage in it.
///
/// # Errors
/// What it changes does not stand there exactly once.
pub fn changed(whole: &str, sabotage: &Sabotage) -> Result<String> {
    match whole.matches(&sabotage.old).count() {
        1 => Ok(whole.replacen(&sabotage.old, &sabotage.new, 1)),
        n => bail!("{}: what the sabotage changes stands there {n} times: {}", sabotage.file, sabotage.old),
    }
}

/// What libtest said of the test.
fn verdict(said: &str, test: &str) -> Option<Outcome> {
    let of_it = said.lines().filter_map(|line| crate::tally::verdict(line)).filter(|(name, _)| is_named(name, test));
    of_it.fold(None, |so_far, (_, passed)| match (so_far, passed) {
        (Some(Outcome::Noticed), _) | (_, false) => Some(Outcome::Noticed),
        _ => Some(Outcome::Unnoticed),
    })
}

/// Whether the path of a test ends in this name.
pub fn is_named(path: &str, name: &str) -> bool {
    path == name || path.ends_with(&format!("::{name}"))
}

fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().rev().take(12).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

fn write_if_other(path: &Path, bytes: &[u8]) -> Result<()> {
    if std::fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let folder = path.parent().context("a file stands in a folder")?;
    std::fs::create_dir_all(folder)?;
    std::fs::write(path, bytes).with_context(|| path.display().to_string())
}

/// What was copied once and is no more in the tree would be built with it.
fn remove_others(folder: &Path, wanted: &BTreeSet<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            remove_others(&path, wanted)?;
        } else if !wanted.contains(&path) {
            std::fs::remove_file(&path).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sabotage(old: &str) -> Sabotage {
        let [does, file, new, fails] = ["", "a.rs", "B", "t"].map(str::to_owned);
        Sabotage { does, file, old: old.to_owned(), new, fails }
    }

    #[test]
    fn only_what_stands_there_once_is_changed() {
        assert_eq!(changed("a b c", &sabotage("b")).unwrap(), "a B c");
        assert!(changed("a b b", &sabotage("b")).is_err());
        assert!(changed("a", &sabotage("b")).is_err());
    }

    #[test]
    fn a_test_that_did_not_run_is_no_verdict() {
        assert_eq!(verdict("test a::t ... FAILED\n", "t"), Some(Outcome::Noticed));
        assert_eq!(verdict("test t ... ok\n", "t"), Some(Outcome::Unnoticed));
        assert_eq!(verdict("test other_t ... FAILED\n", "t"), None);
    }
}
