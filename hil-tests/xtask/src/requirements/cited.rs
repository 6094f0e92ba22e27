//! Which tests cite which requirement.

use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A test, and what it shows.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Test {
    /// The program that holds it.
    pub program: Program,
    /// Its name, without modules.
    pub name: String,
    /// The requirements it cites, or its file does.
    pub cites: BTreeSet<u32>,
}

/// A program of tests, as cargo names it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Program {
    /// The package.
    pub package: String,
    /// The target of integration tests; `None` is the package's own code.
    pub target: Option<String>,
}

impl Program {
    /// The words after `cargo test` that choose it.
    pub fn words(&self) -> Vec<String> {
        let mut words = vec!["-p".to_owned(), self.package.clone()];
        match &self.target {
            Some(target) => words.extend(["--test".to_owned(), target.clone()]),
            None => words.extend(["--lib".to_owned(), "--bins".to_owned()]),
        }
        words
    }
}

/// Every test of the tree that cites something.
///
/// # Errors
/// A file that cannot be read, or that belongs to no package.
pub fn tests(root: &Path) -> Result<Vec<Test>> {
    let mut all = Vec::new();
    // this tool's own tests are about citations, and cite nothing
    for path in files(root, &["*.rs", ":!hil-tests/xtask"])? {
        let text = std::fs::read_to_string(root.join(&path)).with_context(|| path.display().to_string())?;
        let found = in_file(&text);
        if !found.is_empty() {
            let program = program(root, &path)?;
            all.extend(found.into_iter().map(|(name, cites)| Test { program: program.clone(), name, cites }));
        }
    }
    Ok(all)
}

/// The project's files, from the root: what git knows, and what it would add.
///
/// # Errors
/// git does not run.
pub fn files(root: &Path, patterns: &[&str]) -> Result<Vec<PathBuf>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "-z", "--"]).args(patterns);
    let out = git.current_dir(root).output().context("git does not run")?;
    if !out.status.success() {
        bail!("git ls-files ended with {}", out.status);
    }
    let names = String::from_utf8(out.stdout).context("a file's name is not UTF-8")?;
    let paths = names.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from);
    // one that was deleted and not yet committed is still listed
    Ok(paths.filter(|path| root.join(path).is_file()).collect())
}

fn program(root: &Path, path: &Path) -> Result<Program> {
    let folder = path.ancestors().skip(1).find(|folder| root.join(folder).join("Cargo.toml").is_file());
    let folder = folder.with_context(|| format!("{} belongs to no package", path.display()))?;
    let manifest = std::fs::read_to_string(root.join(folder).join("Cargo.toml"))?;
    let manifest: toml::Table = manifest.parse()?;
    let name = manifest.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str);
    let package = name.with_context(|| format!("{} names no package", folder.display()))?.to_owned();
    let mut parts = path.strip_prefix(folder)?.iter().filter_map(|part| part.to_str());
    let target = match (parts.next(), parts.next()) {
        (Some("tests"), Some(first)) => Some(first.trim_end_matches(".rs").to_owned()),
        _ => None,
    };
    Ok(Program { package, target })
}

/// The tests of a file that cite something, each with what it cites.
fn in_file(text: &str) -> Vec<(String, BTreeSet<u32>)> {
    let whole: BTreeSet<u32> = text.lines().filter(|line| line.starts_with("//!")).flat_map(cites).collect();
    let mut reader = Reader { whole, ..Reader::default() };
    text.lines().for_each(|line| reader.line(line));
    reader.found.retain(|(_, cites)| !cites.is_empty());
    reader.found
}

/// Goes through a file's lines.
#[derive(Default)]
struct Reader {
    whole: BTreeSet<u32>,
    /// Of the comments above what comes next.
    above: BTreeSet<u32>,
    is_test: bool,
    /// How the test that is being read ends.
    end: Option<String>,
    found: Vec<(String, BTreeSet<u32>)>,
}

impl Reader {
    fn line(&mut self, line: &str) {
        let trimmed = line.trim_start();
        if let Some(end) = &self.end {
            if line == end {
                self.end = None;
            } else if let Some((_, here)) = self.found.last_mut() {
                here.extend(cites(line));
            }
        } else if trimmed.starts_with("//") && !trimmed.starts_with("//!") {
            self.above.extend(cites(trimmed));
        } else if trimmed.starts_with("#[") {
            self.is_test |= trimmed.starts_with("#[test]");
        } else {
            self.item(line, trimmed);
        }
    }

    fn item(&mut self, line: &str, trimmed: &str) {
        let above = std::mem::take(&mut self.above);
        let name = trimmed.strip_prefix("fn ").and_then(|rest| rest.split(['(', '<']).next());
        if let Some(name) = name.filter(|_| std::mem::take(&mut self.is_test)) {
            self.found.push((name.to_owned(), above.union(&self.whole).copied().collect()));
            let indent = line.len() - trimmed.len();
            self.end = Some(format!("{}}}", " ".repeat(indent)));
        }
    }
}

/// The numbers in a comment or a string: `R4, R21 and (R9)`. A range is no citation of what lies between.
fn cites(line: &str) -> impl Iterator<Item = u32> {
    let starts = line.match_indices('R').filter(|(at, _)| !line[..*at].ends_with(is_word));
    starts.filter_map(|(at, _)| {
        let rest = &line[at + 1..];
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let ends = !rest[digits..].starts_with(is_word);
        rest[..digits].parse().ok().filter(|_| ends)
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_cites_above_within_and_through_its_file() {
        let text = "//! All of it (R1).\n\n/// R4: counted.\n#[test]\nfn counts() {\n    assert!(x, \"so (R9)\");\n}\n\n\
                    // R7\nfn no_test() {}\n\n#[test]\nfn plain() {\n}\n";
        let found = in_file(text);
        assert_eq!(found[0], ("counts".to_owned(), BTreeSet::from([1, 4, 9])));
        assert_eq!(found[1], ("plain".to_owned(), BTreeSet::from([1])));
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn words_that_look_like_numbers_cite_nothing() {
        let found: Vec<_> = cites("R12, XR3 R4x R R5_a (R6)").collect();
        assert_eq!(found, [12, 6]);
    }
}
