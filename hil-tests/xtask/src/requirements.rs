//! What the product must hold to, which test shows it, and which sabotage would make that test fail.
//!
//! The sentences and the sabotages stand in `hil-tests/requirements.toml`. Which test shows what, the tests say themselves:
//! one whose comment, or whose file's comment, cites `R12` is a test of R12. So nothing is written twice, and a test that is
//! deleted leaves a hole that is seen.

pub mod cited;
pub mod sabotage;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Where the table stands, from the root.
pub const TABLE: &str = "hil-tests/requirements.toml";

/// The table: requirements by number.
#[derive(Debug)]
pub struct Requirements(pub BTreeMap<u32, Requirement>);

/// One requirement.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// What it asks.
    pub says: String,
    /// Why nothing shows it yet.
    pub open: Option<String>,
    /// What would break it.
    #[serde(default)]
    pub sabotage: Vec<Sabotage>,
}

/// A change of the product that a test must notice.
#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub struct Sabotage {
    /// What it does, for a person.
    pub does: String,
    /// The file, from the root.
    pub file: String,
    /// What stands there exactly once.
    pub old: String,
    /// What stands there instead.
    pub new: String,
    /// The test that must fail.
    pub fails: String,
}

impl Requirements {
    /// Reads the table.
    ///
    /// # Errors
    /// It cannot be read, or a key is no requirement's number.
    pub fn read(root: &Path) -> Result<Self> {
        let path = root.join(TABLE);
        let text = std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    /// # Errors
    /// As for [`Requirements::read`].
    pub fn parse(text: &str) -> Result<Self> {
        let named: BTreeMap<String, Requirement> = toml::from_str(text)?;
        let numbered = named.into_iter().map(|(name, requirement)| Ok((number(&name)?, requirement)));
        Ok(Self(numbered.collect::<Result<_>>()?))
    }

    /// Those that were asked for; all when none was.
    ///
    /// # Errors
    /// One that is not in the table.
    pub fn chosen(&self, names: &[String]) -> Result<Vec<(u32, &Requirement)>> {
        if names.is_empty() {
            return Ok(self.0.iter().map(|(number, requirement)| (*number, requirement)).collect());
        }
        let one = |name: &String| {
            let number = number(name)?;
            let requirement = self.0.get(&number).with_context(|| format!("there is no requirement {name}"))?;
            Ok((number, requirement))
        };
        names.iter().map(one).collect()
    }
}

/// The number of a name such as `R12`.
fn number(name: &str) -> Result<u32> {
    match name.strip_prefix('R').and_then(|digits| digits.parse().ok()) {
        Some(number) => Ok(number),
        None => bail!("`{name}` is no requirement: they are called R1, R2 and so on"),
    }
}
