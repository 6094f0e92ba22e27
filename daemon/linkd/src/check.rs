//! `check`: explains a configuration before it is used, in sentences: what will happen, what is wrong, how to put it right. It
//! reads what the daemon would read, with the daemon's own code, and changes nothing.

mod identity;
mod network;
mod policy;

use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use crate::cli::CheckArgs;
use crate::config::Config;
use crate::fault::{Fault, Lang};

/// Something is wrong: the daemon would not start, or would block everything.
const WRONG: u8 = 3;

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It will run, but somebody should know.
    Notice,
    /// It will not run, or not as it is meant.
    Wrong,
}

/// One sentence of the explanation.
#[derive(Debug, Serialize)]
pub struct Finding {
    /// How serious it is.
    pub verdict: Verdict,
    /// What it is about; stable.
    pub about: &'static str,
    /// What will happen, or what is wrong and what to do next.
    pub says: String,
}

/// A sentence in both languages.
pub type Words = (String, String);

/// Findings as they come.
pub struct Findings {
    lang: Lang,
    all: Vec<Finding>,
}

impl Findings {
    fn new(lang: Lang) -> Self {
        Self { lang, all: Vec::new() }
    }

    /// As it should be.
    pub fn good(&mut self, about: &'static str, words: Words) {
        self.add(Verdict::Good, about, words);
    }

    /// Somebody should know.
    pub fn notice(&mut self, about: &'static str, words: Words) {
        self.add(Verdict::Notice, about, words);
    }

    /// It is wrong.
    pub fn wrong(&mut self, about: &'static str, words: Words) {
        self.add(Verdict::Wrong, about, words);
    }

    /// It is wrong, and the daemon would say so in these words.
    pub fn fault(&mut self, about: &'static str, fault: &Fault) {
        let says = fault.words(self.lang).replace('\n', " ");
        self.all.push(Finding { verdict: Verdict::Wrong, about, says });
    }

    /// The value, or a finding about why there is none.
    pub fn took<T>(&mut self, about: &'static str, result: Result<T, Fault>) -> Option<T> {
        result.inspect_err(|fault| self.fault(about, fault)).ok()
    }

    fn add(&mut self, verdict: Verdict, about: &'static str, (english, vietnamese): Words) {
        let says = if self.lang == Lang::Vi { vietnamese } else { english };
        self.all.push(Finding { verdict, about, says });
    }

    fn is_good(&self) -> bool {
        self.all.iter().all(|finding| finding.verdict != Verdict::Wrong)
    }
}

/// Explains a configuration; exit code 3 when something is wrong.
pub fn show(args: &CheckArgs, lang: Lang) -> Result<ExitCode, Fault> {
    let path = &args.config.config;
    let findings = examine(path, lang);
    if args.json {
        let report = serde_json::json!({ "good": findings.is_good(), "findings": findings.all });
        let fault = |e: serde_json::Error| Fault::Config { path: path.clone(), why: e.to_string() };
        println!("{}", serde_json::to_string_pretty(&report).map_err(fault)?);
    } else {
        findings.all.iter().for_each(|finding| println!("{}", finding.line(lang)));
        println!("{}", verdict(&findings, lang));
    }
    Ok(if findings.is_good() { ExitCode::SUCCESS } else { ExitCode::from(WRONG) })
}

fn verdict(findings: &Findings, lang: Lang) -> &'static str {
    match (findings.is_good(), lang) {
        (true, Lang::En) => "The configuration can be used.",
        (true, Lang::Vi) => "Cấu hình dùng được.",
        (false, Lang::En) => "The configuration cannot be used as it is.",
        (false, Lang::Vi) => "Cấu hình chưa dùng được.",
    }
}

impl Finding {
    fn line(&self, lang: Lang) -> String {
        let mark = match (self.verdict, lang) {
            (Verdict::Good, _) => "  ",
            (Verdict::Notice, _) => "! ",
            (Verdict::Wrong, Lang::En) => "WRONG ",
            (Verdict::Wrong, Lang::Vi) => "SAI ",
        };
        format!("{mark}{}: {}", self.about, self.says)
    }
}

fn examine(path: &Path, lang: Lang) -> Findings {
    let mut findings = Findings::new(lang);
    let Some(config) = findings.took("file", Config::load(path)) else { return findings };
    network::examine(&config, &mut findings);
    let own = identity::examine(&config, &mut findings);
    policy::examine(&config, own.as_ref(), &mut findings);
    findings
}

/// A sentence that is the same kind of thing in both languages.
pub fn words(english: impl Into<String>, vietnamese: impl Into<String>) -> Words {
    (english.into(), vietnamese.into())
}
