//! `coloa doctor`: from the configuration file to a signature's round trip, in the order in which things can go wrong. Each
//! check is one line: what was found, and what to do. It changes nothing, and tries a PIN only when asked to.

mod embedded;
mod files;
mod network;
mod token;

use crate::arguments::Doctor;
use crate::fault::Fault;
use crate::screen::Screen;
use coloa_client::{Client, Config, Language, Place, Target};
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How a check ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    Warning,
    Failed,
}

/// Everything found so far; a line is shown as soon as it is known.
pub struct Report<'a> {
    screen: &'a Screen,
    place: String,
    findings: Vec<Value>,
    failed: usize,
}

pub fn examine(screen: &Screen, asked: &Doctor) -> Result<(), Fault> {
    let mut report = Report { screen, place: String::new(), findings: Vec::new(), failed: 0 };
    match Config::load(true) {
        Err(error) => report.fail("config", both(|language| error.explain(language))),
        Ok(config) if config.targets.is_empty() => report.fail("config", no_token()),
        Ok(config) => {
            report.good("config", counted(config.targets.len()));
            config.targets.iter().for_each(|target| report.target(target, asked));
        }
    }
    if screen.is_json() {
        println!("{}", json!(report.findings));
    }
    if report.failed == 0 { Ok(()) } else { Err(Fault::Unwell(report.failed)) }
}

fn no_token() -> (String, String) {
    let variable = coloa_client::config::VARIABLE;
    (
        format!("the file has no [[token]]. Enrol this machine (`coloa client enrol`), or set {variable} to its file."),
        format!("tệp không có [[token]]. Ghi danh máy này (`coloa client enrol`), hoặc đặt {variable} trỏ đúng tệp."),
    )
}

fn counted(count: usize) -> (String, String) {
    (format!("read; {count} [[token]] in it."), format!("đọc được; có {count} mục [[token]]."))
}

/// The same in both languages, from something that knows both.
fn both(words: impl Fn(Language) -> String) -> (String, String) {
    (words(Language::English), words(Language::Vietnamese))
}

/// Seconds since 1970 by this machine's clock.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(Duration::ZERO, |since| since);
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

impl Report<'_> {
    fn target(&mut self, target: &Target, asked: &Doctor) {
        self.place = target.place.to_string();
        let passable = match &target.place {
            Place::Network(network) => network::examine(self, network, target.deadline),
            Place::Embedded(directory, _) => embedded::examine(self, directory),
            Place::Local(_) => true,
        };
        if !passable {
            return;
        }
        match Client::open(target) {
            Ok(client) => token::examine(self, &client, asked),
            Err(error) => self.fail("open", both(|language| error.explain(language))),
        }
    }

    fn good(&mut self, check: &'static str, words: (String, String)) {
        self.line(Verdict::Good, check, &words);
    }

    fn warn(&mut self, check: &'static str, words: (String, String)) {
        self.line(Verdict::Warning, check, &words);
    }

    fn fail(&mut self, check: &'static str, words: (String, String)) {
        self.failed += 1;
        self.line(Verdict::Failed, check, &words);
    }

    fn line(&mut self, verdict: Verdict, check: &'static str, (english, vietnamese): &(String, String)) {
        let words = self.screen.text(english, vietnamese);
        let word = match verdict {
            Verdict::Good => "good",
            Verdict::Warning => "warning",
            Verdict::Failed => "failed",
        };
        self.findings.push(json!({ "place": self.place, "check": check, "verdict": word, "finding": words }));
        if !self.screen.is_json() {
            println!("{} {:<12} {}{words}", self.mark(verdict), check, self.prefix());
        }
    }

    fn prefix(&self) -> String {
        if self.place.is_empty() { String::new() } else { format!("{}: ", self.place) }
    }

    /// Colour only on a terminal.
    fn mark(&self, verdict: Verdict) -> String {
        let (word, colour) = match verdict {
            Verdict::Good => (self.screen.text("ok  ", "tốt "), 32),
            Verdict::Warning => (self.screen.text("warn", "chú ý"), 33),
            Verdict::Failed => (self.screen.text("FAIL", "LỖI "), 31),
        };
        let plain = !std::io::stdout().is_terminal() || std::env::var_os("NO_COLOR").is_some();
        if plain { word.into() } else { format!("\x1b[{colour}m{word}\x1b[0m") }
    }
}
