//! Counting verdicts: libtest's own summary lines, and gates that pass or fail as a whole.

use comfy_table::{Table, presets};
use std::time::Duration;

/// Verdicts so far, one row a step.
#[derive(Default)]
pub struct Tally {
    rows: Vec<Row>,
}

/// How one step ended.
pub struct Row {
    name: String,
    count: Count,
    took: Duration,
}

/// Tests of one step.
#[derive(Default, Clone, Copy, PartialEq, Debug)]
pub struct Count {
    /// Passed.
    pub passed: u64,
    /// Failed; a program that ended badly without saying why counts as one.
    pub failed: u64,
    /// Left out, with the reason in the test's source.
    pub ignored: u64,
}

impl Count {
    /// A gate: one verdict for the whole step.
    pub fn gate(passed: bool) -> Self {
        Self { passed: passed.into(), failed: (!passed).into(), ignored: 0 }
    }

    /// Adds a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; …`; any other line changes nothing.
    pub fn add_line(&mut self, line: &str) {
        let Some((_, rest)) = line.split_once("test result: ") else { return };
        let Some((_, counts)) = rest.split_once(". ") else { return };
        for part in counts.split(';') {
            let mut words = part.split_whitespace();
            let number = words.next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
            match words.next() {
                Some("passed") => self.passed += number,
                Some("failed") => self.failed += number,
                Some("ignored") => self.ignored += number,
                _ => {}
            }
        }
    }
}

impl Tally {
    /// Adds a step.
    pub fn add(&mut self, name: impl Into<String>, count: Count, took: Duration) {
        self.rows.push(Row { name: name.into(), count, took });
    }

    /// All verdicts together.
    pub fn total(&self) -> Count {
        self.rows.iter().fold(Count::default(), |sum, row| Count {
            passed: sum.passed + row.count.passed,
            failed: sum.failed + row.count.failed,
            ignored: sum.ignored + row.count.ignored,
        })
    }

    /// The closing table and the closing line, `N passed, N failed` alone on it.
    pub fn print(&self) {
        let mut table = Table::new();
        table.load_style(presets::UTF8_BORDERS_ONLY).set_header(["step", "passed", "failed", "ignored", "seconds"]);
        for row in &self.rows {
            let Count { passed, failed, ignored } = row.count;
            let cells = [passed, failed, ignored].map(|n| n.to_string());
            table
                .add_row([row.name.clone()].into_iter().chain(cells).chain([format!("{:.0}", row.took.as_secs_f64())]));
        }
        println!("{table}");
        let total = self.total();
        println!("{} passed, {} failed", total.passed, total.failed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libtest_lines_are_counted_and_others_are_not() {
        let mut c = Count::default();
        c.add_line("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s");
        c.add_line("test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 9 filtered out; finished in 0.0s");
        c.add_line("test something::else ... ok");
        assert_eq!(c, Count { passed: 7, failed: 2, ignored: 1 });
    }

    #[test]
    fn the_total_sums_tests_and_gates() {
        let mut t = Tally::default();
        t.add("format", Count::gate(true), Duration::ZERO);
        t.add("lints", Count::gate(false), Duration::ZERO);
        t.add("tests", Count { passed: 5, failed: 1, ignored: 2 }, Duration::ZERO);
        assert_eq!(t.total(), Count { passed: 6, failed: 2, ignored: 2 });
    }
}
