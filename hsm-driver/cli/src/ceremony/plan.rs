//! The plan of a ceremony: a TOML file that everybody reads before, and whose SHA-256 everybody confirms at the start.
//!
//! What cannot be done as it is written is refused when it is read, before anybody has travelled.

use super::Trouble;
use super::arguments::signed_by;
use super::journal::sha256;
use crate::arguments::{Passphrase, UserPin};
use crate::custodian::arguments::{SignedBy, TokenKey};
use crate::fault::Fault;
use crate::partition::arguments::Mode;
use crate::screen::hex;
use coloa_wire::command::MAX_CUSTODIANS;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Longest name of a person, in bytes: the device's for a custodian.
const MAX_NAME: usize = 64;
/// Longest text of a plan, in bytes.
const MAX_TEXT: usize = 1024;
/// Steps at most.
const MAX_STEPS: usize = 200;

pub const EXAMPLE: &str = include_str!("example.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub title: String,
    pub place: String,
    /// How many custodians are a quorum: of every act, of the backup key, and of the minutes.
    pub quorum: u32,
    #[serde(rename = "participant")]
    pub people: Vec<Person>,
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Types at the appliance.
    Operator,
    /// Sees and hears everything, compares, and touches nothing.
    Witness,
    /// Has a voice in the quorum and a share of the backup key.
    Custodian,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Person {
    pub name: String,
    pub role: Role,
    /// A custodian's public key, PEM.
    pub public: Option<PathBuf>,
    /// The private key is in this file.
    pub key: Option<PathBuf>,
    /// Its passphrase; without, it is asked for.
    pub passphrase_file: Option<PathBuf>,
    /// The private key is in a token of this module.
    pub module: Option<PathBuf>,
    pub token: Option<String>,
    pub label: Option<String>,
    /// The token's PIN; without, it is asked for.
    pub pin_file: Option<PathBuf>,
    /// The private key is elsewhere: texts go there and signatures come back in this folder.
    pub medium: Option<PathBuf>,
    /// Folder for the share of the backup key; without, it is shown on the screen, to be written down.
    pub share: Option<PathBuf>,
}

#[derive(Clone, Deserialize)]
#[serde(tag = "act", deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Step {
    /// Makes a new device operational.
    Initialise { label: String },
    /// Names the custodians and how many are a quorum.
    Custodians {},
    /// A quorum has the master backup key drawn; each custodian gets a share.
    BackupKey {},
    /// Makes a partition and sets its PINs.
    Partition {
        label: String,
        #[serde(default)]
        mode: PartitionMode,
        so_pin_file: Option<PathBuf>,
        user_pin_file: Option<PathBuf>,
    },
    /// A quorum has a partition destroyed.
    DestroyPartition { partition: String, reason: String },
    /// Writes an archive of everything.
    Backup { out: PathBuf },
    /// Each custodian shows that the share opens the last archive.
    CheckShares {},
    /// Restores archives into a new device with custodians' shares; a witness compares their check value with the first minutes.
    Restore { archives: Vec<PathBuf>, by: String },
    /// Writes the device's certificates; a witness compares their check value on another machine.
    Certificates { by: String },
    /// Has the device sign the present end of its audit log.
    Checkpoint { out: PathBuf },
    /// Somebody looks at something, and says so.
    Observe {
        by: String,
        says: String,
        /// Whether what was seen is written down.
        #[serde(default)]
        answer: bool,
    },
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartitionMode {
    #[default]
    Strict,
    Compatible,
}

impl From<PartitionMode> for Mode {
    fn from(mode: PartitionMode) -> Self {
        match mode {
            PartitionMode::Strict => Mode::Strict,
            PartitionMode::Compatible => Mode::Compatible,
        }
    }
}

impl Step {
    /// Its name in the plan.
    pub fn name(&self) -> &'static str {
        match self {
            Step::Initialise { .. } => "initialise",
            Step::Custodians {} => "custodians",
            Step::BackupKey {} => "backup-key",
            Step::Partition { .. } => "partition",
            Step::DestroyPartition { .. } => "destroy-partition",
            Step::Backup { .. } => "backup",
            Step::CheckShares {} => "check-shares",
            Step::Restore { .. } => "restore",
            Step::Certificates { .. } => "certificates",
            Step::Checkpoint { .. } => "checkpoint",
            Step::Observe { .. } => "observe",
        }
    }
}

impl Plan {
    /// Reads a plan's text; `file` is for what is said of it.
    pub fn parse(file: &Path, text: &str) -> Result<Self, Fault> {
        let plan: Plan = toml::from_str(text).map_err(|e| Trouble::plan(file, e.message()))?;
        plan.check().map_err(|why| Trouble::plan(file, why))?;
        Ok(plan)
    }

    pub fn custodians(&self) -> impl Iterator<Item = &Person> {
        self.people.iter().filter(|p| p.role == Role::Custodian)
    }

    pub fn operator(&self) -> &str {
        self.people.iter().find(|p| p.role == Role::Operator).map_or("", |p| p.name.as_str())
    }

    pub fn has_step(&self, is_it: impl Fn(&Step) -> bool) -> bool {
        self.steps.iter().any(is_it)
    }

    /// The archive of the last backup before a step.
    pub fn archive_before(&self, step: usize) -> Option<&Path> {
        let before = self.steps.iter().take(step.saturating_sub(1)).rev();
        before.filter_map(|s| if let Step::Backup { out } = s { Some(out.as_path()) } else { None }).next()
    }

    fn check(&self) -> Result<(), String> {
        let texts = [("title", &self.title), ("place", &self.place)];
        texts.iter().try_for_each(|(what, text)| line(what, text))?;
        self.check_people()?;
        if self.steps.is_empty() || self.steps.len() > MAX_STEPS {
            return Err(format!("it has {} steps, not 1 to {MAX_STEPS}", self.steps.len()));
        }
        for (number, step) in (1..).zip(&self.steps) {
            self.check_step(number, step).map_err(|why| format!("step {number}, {}: {why}", step.name()))?;
        }
        Ok(())
    }

    /// R1, R2: each person is one person in one role, and one is no quorum.
    fn check_people(&self) -> Result<(), String> {
        let names: BTreeSet<&str> = self.people.iter().map(|p| p.name.as_str()).collect();
        if names.len() != self.people.len() {
            return Err("two participants have the same name: each person has one role".into());
        }
        let count = |role| self.people.iter().filter(|p| p.role == role).count();
        if count(Role::Operator) != 1 || count(Role::Witness) == 0 {
            return Err("there is one operator, and at least one witness".into());
        }
        let custodians = count(Role::Custodian);
        let quorum = usize::try_from(self.quorum).unwrap_or(usize::MAX);
        if !(2..=custodians).contains(&quorum) || custodians > MAX_CUSTODIANS {
            let most = MAX_CUSTODIANS;
            return Err(format!("{quorum} of {custodians} custodians is no quorum: from 2 to all, of {most} at most"));
        }
        self.people.iter().try_for_each(|p| p.check().map_err(|why| format!("{}: {why}", p.name)))
    }

    fn check_step(&self, number: usize, step: &Step) -> Result<(), String> {
        let earlier = |is_it: fn(&Step) -> bool| self.steps.iter().take(number.saturating_sub(1)).any(is_it);
        let once = |is_it: fn(&Step) -> bool| self.steps.iter().filter(|s| is_it(s)).count() == 1;
        let is_custodians = |s: &Step| matches!(s, Step::Custodians {});
        let is_key = |s: &Step| matches!(s, Step::BackupKey {});
        let is_restore = |s: &Step| matches!(s, Step::Restore { .. });
        match step {
            Step::Initialise { label } if number == 1 => line("label", label),
            Step::Initialise { .. } => Err("it can only be the first step".into()),
            Step::Custodians {} if !once(is_custodians) => Err("the custodians are named once".into()),
            Step::BackupKey {} if !once(is_key) => Err("there is one backup key".into()),
            // R2: nothing is done by one administrator for which a quorum could be asked.
            Step::BackupKey {} | Step::DestroyPartition { .. }
                if self.has_step(is_custodians) && !earlier(is_custodians) =>
            {
                Err("the custodians are named before it: it needs a quorum of them".into())
            }
            Step::DestroyPartition { partition, reason } => {
                line("partition", partition).and_then(|()| line("reason", reason))
            }
            Step::Partition { label, .. } => line("label", label),
            Step::CheckShares {} if self.archive_before(number).is_none() => Err("it comes after a backup".into()),
            Step::Restore { archives, .. } if archives.is_empty() => Err("it names no archive".into()),
            // The custodians, the key and the partitions come from the archive.
            Step::Restore { .. } if self.has_step(is_custodians) || self.has_step(is_key) || !once(is_restore) => {
                Err("it brings the custodians and the backup key with it, once".into())
            }
            Step::Restore { by, .. } | Step::Certificates { by } => self.is_present(by),
            Step::Observe { by, says, .. } => self.is_present(by).and_then(|()| line("says", says)),
            Step::Custodians {} | Step::BackupKey {} | Step::Backup { .. } => Ok(()),
            Step::CheckShares {} | Step::Checkpoint { .. } => Ok(()),
        }
    }

    fn is_present(&self, name: &str) -> Result<(), String> {
        let known = self.people.iter().any(|p| p.name == name);
        if known { Ok(()) } else { Err(format!("\"{name}\" does not take part")) }
    }
}

impl Person {
    /// Where this custodian's key is; `None` is elsewhere.
    pub fn signed_by(&self, dir: &Path) -> Option<SignedBy> {
        let at = |path: &Option<PathBuf>| path.as_ref().map(|path| dir.join(path));
        self.key.as_ref().or(self.module.as_ref())?;
        let passphrase = Passphrase { passphrase_file: at(&self.passphrase_file), ..Passphrase::default() };
        let user = UserPin { user_pin_file: at(&self.pin_file), ..UserPin::default() };
        let token = TokenKey { module: at(&self.module), token: self.token.clone(), label: self.label.clone(), user };
        Some(signed_by(&self.name, at(&self.key), passphrase, token))
    }

    fn check(&self) -> Result<(), String> {
        line("name", &self.name)?;
        if self.name.len() > MAX_NAME {
            return Err(format!("a name has at most {MAX_NAME} bytes"));
        }
        let ways = [&self.key, &self.module, &self.medium].iter().filter(|way| way.is_some()).count();
        let in_token = [self.module.is_some(), self.token.is_some(), self.label.is_some()];
        match self.role {
            Role::Custodian if self.public.is_none() => Err("a custodian has a public key (public)".into()),
            Role::Custodian if ways != 1 => Err("a custodian's key is in one place: key, module or medium".into()),
            Role::Custodian if in_token.contains(&true) && in_token.contains(&false) => {
                Err("a key in a token has a module, a token and a label".into())
            }
            Role::Operator | Role::Witness if ways > 0 || self.public.is_some() || self.share.is_some() => {
                Err("only a custodian has a key or a share".into())
            }
            _ => Ok(()),
        }
    }
}

/// What everybody confirms of a plan: half of its SHA-256, in groups of four digits. Who writes a plan could look for two of the
/// same check value, so it is twice as long as that of a key.
pub fn check_value(text: &[u8]) -> String {
    let digits = hex(&sha256(text)[..16]);
    digits.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group).into_owned()).collect::<Vec<_>>().join(" ")
}

/// What a screen does not show as it is: control characters, and those that turn the direction of writing (UAX #9 §2).
pub fn is_hidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// One line of text: what is shown to who signs is what is in the plan.
fn line(what: &str, text: &str) -> Result<(), String> {
    let fits = !text.trim().is_empty() && text.len() <= MAX_TEXT && !text.chars().any(is_hidden);
    if fits { Ok(()) } else { Err(format!("{what} is one line of at most {MAX_TEXT} bytes, and not empty")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let fault = Plan::parse(Path::new("plan.toml"), text).err().expect("the plan is refused");
        fault.words(coloa_wire::error::Language::English)
    }

    #[test]
    fn the_example_is_a_plan() {
        let plan = Plan::parse(Path::new("example"), EXAMPLE).expect("it is");
        assert_eq!((plan.quorum, plan.custodians().count(), plan.operator()), (2, 3, "Lê Thị Hoa"));
        assert_eq!(plan.archive_before(plan.steps.len()), Some(Path::new("first.bak")));
        assert_eq!(plan.archive_before(1), None);
    }

    // R1, R2
    #[test]
    fn one_person_in_two_roles_and_a_quorum_of_one_are_refused() {
        assert!(refused(&EXAMPLE.replacen("quorum = 2", "quorum = 1", 1)).contains("no quorum"));
        assert!(refused(&EXAMPLE.replacen("quorum = 2", "quorum = 4", 1)).contains("no quorum"));
        assert!(refused(&EXAMPLE.replacen("Lê Thị Hoa", "Nguyễn Văn An", 1)).contains("same name"));
        assert!(refused(&EXAMPLE.replacen("role = \"witness\"", "role = \"operator\"", 1)).contains("one operator"));
        assert!(
            refused(&EXAMPLE.replacen("key = \"", "medium = \"", 1).replacen("label = \"quorum\"", "", 1))
                .contains("a token and a label")
        );
    }

    #[test]
    fn steps_in_an_order_that_would_be_weaker_are_refused() {
        let custodians = "[[step]]\nact = \"custodians\"\n";
        assert!(EXAMPLE.contains(custodians));
        let last = format!("{}\n{custodians}", EXAMPLE.replacen(custodians, "", 1));
        assert!(refused(&last).contains("the custodians are named before it"), "{}", refused(&last));
        assert!(refused(&format!("{EXAMPLE}\n[[step]]\nact = \"backup-key\"\n")).contains("one backup key"));
        assert!(refused(&format!("{EXAMPLE}\n{custodians}")).contains("named once"));
        assert!(refused(&format!("{EXAMPLE}\n[[step]]\nact = \"initialise\"\nlabel = \"x\"\n")).contains("first step"));
        assert!(refused(&format!("{EXAMPLE}\n[[step]]\nact = \"format-disk\"\n")).contains("format-disk"));
        assert!(refused(&EXAMPLE.replacen("place = ", "weather = ", 1)).contains("weather"));
        // What people read is what is there.
        assert!(refused(&EXAMPLE.replacen("Hà Nội", "\u{202e}Hà Nội", 1)).contains("one line"));
    }
}
