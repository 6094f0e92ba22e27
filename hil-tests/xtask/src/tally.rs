//! Counting verdicts: libtest's own summary lines, and gates that pass or fail as a whole.

use crate::failures::{Failure, Failures};
use comfy_table::{Table, presets};
use std::time::Duration;

/// Verdicts so far, one row a step.
#[derive(Default)]
pub struct Tally {
    rows: Vec<Row>,
    failures: Vec<(String, Failure)>,
}

/// What one step finds out while it runs.
#[derive(Default)]
pub struct Step {
    /// Its verdicts.
    pub count: Count,
    /// What failed.
    pub failures: Failures,
}

impl Step {
    /// Takes in a line of `cargo test`.
    pub fn add_line(&mut self, line: &str) {
        self.count.add_line(line);
        self.failures.add_line(line);
    }
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

/// The name and the verdict of a line such as `test roles::counts ... ok`; one that was left out has none.
pub fn verdict(line: &str) -> Option<(&str, bool)> {
    let (name, verdict) = line.strip_prefix("test ")?.split_once(" ... ")?;
    match verdict.split_whitespace().next() {
        Some("ok") => Some((name, true)),
        Some("FAILED") => Some((name.trim_end_matches(" - should panic"), false)),
        _ => None,
    }
}

impl Tally {
    /// Adds a step that has ended.
    pub fn add(&mut self, name: impl Into<String>, step: Step, took: Duration) {
        let name = name.into();
        self.failures.extend(step.failures.found().iter().map(|f| (name.clone(), f.clone())));
        self.rows.push(Row { name, count: step.count, took });
    }

    /// All verdicts together.
    pub fn total(&self) -> Count {
        self.rows.iter().fold(Count::default(), |sum, row| Count {
            passed: sum.passed + row.count.passed,
            failed: sum.failed + row.count.failed,
            ignored: sum.ignored + row.count.ignored,
        })
    }

    /// The closing table, what failed, and the closing line, `N passed, N failed` alone on it.
    pub fn print(&self) {
        println!("{}", self.closing());
    }

    fn closing(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::UTF8_BORDERS_ONLY).set_header(["step", "passed", "failed", "ignored", "seconds"]);
        for row in &self.rows {
            let Count { passed, failed, ignored } = row.count;
            let cells = [passed, failed, ignored].map(|n| n.to_string());
            table
                .add_row([row.name.clone()].into_iter().chain(cells).chain([format!("{:.0}", row.took.as_secs_f64())]));
        }
        let failures: String = self.failures.iter().map(|(step, f)| shown(step, f)).collect();
        let Count { passed, failed, .. } = self.total();
        format!("{table}\n{failures}{passed} passed, {failed} failed")
    }
}

/// `✘ step › test: why`, on a line.
fn shown(step: &str, failure: &Failure) -> String {
    let name = if failure.name == step { step.to_owned() } else { format!("{step} › {}", failure.name) };
    match failure.why.as_str() {
        "" => format!("✘ {name}\n"),
        why => format!("✘ {name}: {}\n", why.replace('\n', " ")),
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
        t.add("format", step(Count::gate(true)), Duration::ZERO);
        t.add("lints", step(Count::gate(false)), Duration::ZERO);
        t.add("tests", step(Count { passed: 5, failed: 1, ignored: 2 }), Duration::ZERO);
        assert_eq!(t.total(), Count { passed: 6, failed: 2, ignored: 2 });
    }

    fn step(count: Count) -> Step {
        Step { count, ..Step::default() }
    }

    /// Who sees only the last screen of a log sees what failed, and the closing line alone at the end.
    #[test]
    fn what_failed_stands_between_the_table_and_the_closing_line() {
        let mut tests = Step::default();
        for line in ["---- a::b stdout ----", "thread 'a::b' panicked at src/a.rs:1:2:", "left over"] {
            tests.add_line(line);
        }
        tests.add_line("test result: FAILED. 4 passed; 1 failed; 0 ignored; 0 measured");
        let mut lints = step(Count::gate(false));
        lints.failures.add("lints", "`cargo clippy` ended badly");
        let mut t = Tally::default();
        t.add("lints", lints, Duration::ZERO);
        t.add("tests", tests, Duration::ZERO);
        let closing = t.closing();
        let last: Vec<_> = closing.lines().rev().take(3).collect();
        let named = ["✘ tests › a::b: left over (src/a.rs:1:2)", "✘ lints: `cargo clippy` ended badly"];
        assert_eq!(last, ["4 passed, 2 failed", named[0], named[1]]);
    }
}
