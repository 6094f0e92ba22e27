//! Verdicts, as they come and as a table at the end.

use anyhow::Result;
use coloa_xtask::progress::Task;
use comfy_table::{ContentArrangement, Table, presets};

/// What was shown so far.
#[derive(Default)]
pub struct Report {
    lines: Vec<Line>,
}

struct Line {
    what: String,
    judge: &'static str,
    verdict: Result<String, String>,
}

impl Report {
    /// Shows one thing. `judge` is the program that decides; what it saw comes back for the table.
    pub fn line(&mut self, what: &str, judge: &'static str, show: impl FnOnce() -> Result<String>) {
        let task = Task::start(what);
        let verdict = show().map_err(|e| format!("{e:#}"));
        match &verdict {
            Ok(_) => task.done(),
            Err(why) => {
                task.fail();
                println!("    {why}");
            }
        }
        self.lines.push(Line { what: what.to_owned(), judge, verdict });
    }

    /// A part that could not go on.
    pub fn broken(&mut self, part: &str, error: &anyhow::Error) {
        println!("✘ {part}: {error:#}");
        self.lines.push(Line { what: format!("{part}: set up"), judge: "–", verdict: Err(format!("{error:#}")) });
    }

    /// Good ones, and all.
    pub fn verdicts(&self) -> (usize, usize) {
        (self.lines.iter().filter(|l| l.verdict.is_ok()).count(), self.lines.len())
    }

    /// The closing table.
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(["", "what", "judge", "what it saw"]);
        for line in &self.lines {
            let (mark, saw) = match &line.verdict {
                Ok(saw) => ("✔", saw.clone()),
                Err(why) => ("✘", why.lines().next().unwrap_or_default().chars().take(60).collect()),
            };
            table.add_row([mark, &line.what, line.judge, &saw]);
        }
        table
    }
}
