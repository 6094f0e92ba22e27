//! What was measured, by part: kept as JSON, so that a part can be measured again without the others.

use super::median;
use anyhow::{Context, Result};
use coloa_hil_tests::built;
use coloa_xtask::stand::{Bench, Part};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

/// One contender at one task.
#[derive(Serialize, Deserialize, Clone)]
pub struct Measurement {
    /// The task, for instance an operation of p11bench.
    pub what: String,
    /// Threads, or TCP streams.
    pub threads: usize,
    /// Who did it.
    pub contender: String,
    /// What the figures are.
    pub unit: String,
    /// One a round.
    pub figures: Vec<f64>,
    /// Half of the operations took longer, in microseconds; one a round.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub p50_us: Vec<f64>,
}

impl Measurement {
    /// Nothing yet.
    pub fn new(what: &str, threads: usize, contender: &str, unit: &str) -> Self {
        let (what, contender, unit) = (what.to_owned(), contender.to_owned(), unit.to_owned());
        Measurement { what, threads, contender, unit, figures: vec![], p50_us: vec![] }
    }
}

/// Where and how a part was measured.
#[derive(Serialize, Deserialize, Clone)]
pub struct Origin {
    /// Day, UTC.
    pub date: String,
    /// Of this source.
    pub commit: String,
    /// The processor's name.
    pub processor: String,
    /// How many of it.
    pub cores: usize,
    /// Seconds of a run.
    pub seconds: u32,
    /// Runs of each.
    pub rounds: usize,
}

impl Origin {
    /// Here and now.
    pub fn here(args: &Bench) -> Self {
        let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let name = processors.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
        Origin {
            date: said("date", &["-u", "+%F"]),
            commit: said("git", &["describe", "--always", "--dirty"]),
            processor: name.trim_start_matches([' ', '\t', ':']).to_owned(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            seconds: args.seconds,
            rounds: args.rounds,
        }
    }
}

fn said(program: &str, words: &[&str]) -> String {
    let out = Command::new(program).args(words).current_dir(built::root()).output();
    out.map_or("unknown".into(), |out| String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

/// A part, as it was measured last.
#[derive(Serialize, Deserialize, Clone)]
pub struct Measured {
    /// Where and how.
    pub origin: Origin,
    /// What came of it.
    pub measurements: Vec<Measurement>,
}

/// All parts by name.
#[derive(Serialize, Deserialize, Default)]
pub struct Results(pub BTreeMap<String, Measured>);

impl Results {
    /// What was kept before; nothing if there is nothing.
    pub fn kept() -> Result<Self> {
        match std::fs::read(file()) {
            Ok(text) => serde_json::from_slice(&text).with_context(|| format!("{} is damaged", file().display())),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(e).with_context(|| format!("cannot read {}", file().display())),
        }
    }

    /// In place of what this part had.
    pub fn put(&mut self, part: Part, measured: Measured) {
        self.0.insert(part.to_string(), measured);
    }

    /// For the next time.
    pub fn keep(&self) -> Result<()> {
        std::fs::create_dir_all(built::root().join("benches"))?;
        let beside = file().with_extension("json.new");
        std::fs::write(&beside, serde_json::to_string_pretty(self)? + "\n")?;
        Ok(std::fs::rename(beside, file())?)
    }

    /// The median of one contender at one task.
    pub fn figure(&self, what: &str, contender: &str, threads: usize) -> Option<f64> {
        self.find(what, contender).find(|m| m.threads == threads).map(|m| median(m.figures.clone()))
    }

    /// The best that a contender did on any number of threads.
    pub fn best(&self, what: &str, contender: &str) -> Option<f64> {
        self.find(what, contender).map(|m| median(m.figures.clone())).max_by(f64::total_cmp)
    }

    /// The median of the medians of what one operation took, in microseconds.
    pub fn p50(&self, what: &str, contender: &str, threads: usize) -> Option<f64> {
        let of = self.find(what, contender).find(|m| m.threads == threads)?;
        (!of.p50_us.is_empty()).then(|| median(of.p50_us.clone()))
    }

    fn find(&self, what: &str, contender: &str) -> impl Iterator<Item = &Measurement> {
        let all = self.0.values().flat_map(|part| &part.measurements);
        all.filter(move |m| m.what == what && m.contender == contender)
    }
}

fn file() -> PathBuf {
    built::root().join("benches/results.json")
}
