//! What failed and, in short, why: read out of libtest's words, so that the end of a long log names it again.

/// One test or gate that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its name.
    pub name: String,
    /// The first words of the reason; empty where nothing was said.
    pub why: String,
}

/// The failures of one step, gathered line by line.
#[derive(Debug, Default)]
pub struct Failures {
    found: Vec<Failure>,
    reading: Reading,
}

/// Where in libtest's report we are.
#[derive(Debug, Default, PartialEq)]
enum Reading {
    /// Nowhere of interest.
    #[default]
    Outside,
    /// Below `---- NAME stdout ----`, before any reason.
    Section,
    /// Below `panicked at PLACE:`; the message follows.
    Panic(String),
    /// The reason is known.
    Known,
}

/// Letters of a reason that are shown.
const SHOWN: usize = 200;

impl Failures {
    /// Takes in a line of `cargo test`; most change nothing.
    pub fn add_line(&mut self, line: &str) {
        if let Some(name) = section(line) {
            self.add(name, "");
            self.reading = Reading::Section;
        } else if line.starts_with("test result: ") || line == "failures:" {
            self.reading = Reading::Outside;
        } else if line.contains("could not compile `") || line.contains("(signal: ") {
            self.add("cargo", line);
        } else {
            self.reason(line);
        }
    }

    /// Adds one that is known from elsewhere.
    pub fn add(&mut self, name: &str, why: &str) {
        self.found.push(Failure { name: name.to_owned(), why: short(why) });
        self.reading = Reading::Outside;
    }

    /// Gives the last one its reason, if it has none yet.
    pub fn explain(&mut self, why: &str) {
        if let Some(last) = self.found.last_mut().filter(|f| f.why.is_empty()) {
            last.why = short(why);
        }
    }

    /// All of them.
    pub fn found(&self) -> &[Failure] {
        &self.found
    }

    /// A panic's or an error's words come before whatever else the test printed.
    fn reason(&mut self, line: &str) {
        let Some(last) = self.found.last_mut() else { return };
        match &self.reading {
            Reading::Panic(place) if !line.trim().is_empty() => {
                last.why = short(&format!("{} ({place})", line.trim()));
                self.reading = Reading::Known;
            }
            Reading::Section => {
                if let Some((_, place)) = line.split_once("panicked at ") {
                    self.reading = Reading::Panic(place.trim_end_matches(':').to_owned());
                } else if line.starts_with("Error: ") {
                    last.why = short(line);
                    self.reading = Reading::Known;
                } else {
                    self.explain(line);
                }
            }
            _ => {}
        }
    }
}

/// The name in libtest's `---- NAME stdout ----` or libtest-mimic's `---- NAME ----`.
fn section(line: &str) -> Option<&str> {
    let name = line.strip_prefix("---- ")?.strip_suffix(" ----")?;
    Some(name.strip_suffix(" stdout").unwrap_or(name))
}

fn short(why: &str) -> String {
    why.trim().chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        let mut failures = Failures::default();
        text.lines().for_each(|line| failures.add_line(line));
        failures.found().iter().map(|f| (f.name.clone(), f.why.clone())).collect()
    }

    fn pair(name: &str, why: &str) -> (String, String) {
        (name.into(), why.into())
    }

    /// As libtest of Rust 1.9x prints it, from the list of tests to the summary.
    #[test]
    fn a_panic_and_an_error_are_named_with_their_words() {
        let text = "\
test a::passes ... ok
test a::panics ... FAILED
failures:

---- a::panics stdout ----
what the test printed itself

thread 'a::panics' (4242) panicked at src/a.rs:7:9:
assertion `left == right` failed: the head
  left: 1
 right: 2
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace

---- a::errs stdout ----
Error: coload does not start


failures:
    a::panics
    a::errs

test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
thread 'main' panicked at src/later.rs:1:1:
not ours";
        let panics = pair("a::panics", "assertion `left == right` failed: the head (src/a.rs:7:9)");
        assert_eq!(read(text), [panics, pair("a::errs", "Error: coload does not start")]);
    }

    #[test]
    fn a_suite_of_its_own_a_crash_and_a_crate_that_does_not_compile_are_named() {
        let text = "\
---- embedded: signs ----
pkcs11-tool: no slot

failures:
    embedded: signs
  process didn't exit successfully: `/x/wire-1` (signal: 11, SIGSEGV: invalid memory reference)
error: could not compile `coloa-wire` (lib) due to 1 previous error";
        let found = read(text);
        assert_eq!(found[0], pair("embedded: signs", "pkcs11-tool: no slot"));
        assert!(found[1].1.contains("SIGSEGV") && found[2].1.contains("could not compile `coloa-wire`"), "{found:?}");
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn a_reason_is_given_once() {
        let mut failures = Failures::default();
        failures.explain("of nothing");
        failures.add("iperf3 runs through the link (0.1 s)", "");
        failures.explain("iperf3 does not get through");
        failures.explain("more");
        assert_eq!(failures.found().len(), 1);
        assert_eq!(failures.found()[0].why, "iperf3 does not get through");
    }

    #[test]
    fn a_run_without_failures_names_none() {
        let text = "running 1 test\ntest a ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured";
        assert_eq!(read(text), []);
    }
}
