//! `cargo xtask bench`: ours and the other in turn within one run, as ratios.

mod asked;
mod away;
mod flood;
mod limit;
mod link;
mod many;
mod operations;
mod p11bench;
mod report;
mod results;
mod storm;

use anyhow::Result;
use coloa_hil_tests::built;
use coloa_xtask::stand::{Bench, Part};
use results::{Measured, Origin, Results};
use std::process::{Command, Stdio};

/// `cargo xtask bench`
pub fn main(args: &Bench) -> Result<()> {
    if !args.json {
        println!("each figure is the median of {} runs of {} s, taken in turn\n", args.rounds, args.seconds);
    }
    let mut results = if args.keep { Results::kept()? } else { Results::default() };
    for part in args.parts() {
        let measurements = match part {
            Part::Operations => operations::measure(args)?,
            Part::Link => link::measure(args)?,
            Part::Storm => storm::measure()?,
            Part::Many => many::measure(args)?,
        };
        if args.json {
            measurements.iter().try_for_each(print_line)?;
        } else {
            println!("\n{}\n", report::measured(&measurements));
        }
        results.put(part, Measured { origin: Origin::here(args), measurements });
        if args.keep {
            // each part at once: what was measured is not lost when the next one fails
            results.keep()?;
        }
    }
    if args.keep {
        std::fs::write(built::root().join("benches/RESULTS.md"), report::page(&results))?;
    }
    if !args.json {
        println!("{}\n\n{}", report::limits(&results), report::asked(&results, args.parts().len() > 1 || args.keep));
    }
    Ok(())
}

fn print_line(measurement: &results::Measurement) -> Result<()> {
    println!("{}", serde_json::to_string(measurement)?);
    Ok(())
}

/// A program in a scheduling group of its own with a high priority, where we may: a busy neighbour else halves a figure.
fn alone(program: &Command) -> Command {
    let mut c = Command::new("setsid");
    let script = "echo -20 2>/dev/null >/proc/self/autogroup; exec nice -n -20 \"$@\"";
    c.args(["-w", "bash", "-c", script, "alone"]).arg(program.get_program()).args(program.get_args());
    for (key, value) in program.get_envs() {
        if let Some(value) = value {
            c.env(key, value);
        }
    }
    c
}

const OWN_GROUP: &str = "/proc/self/autogroup";

/// The same for a program that leads a session already and runs; best effort.
fn prefer(process: u32) {
    std::fs::write(format!("/proc/{process}/autogroup"), "-20").ok();
    Command::new("renice").args(["-n", "-20", "-p", &process.to_string()]).stdout(Stdio::null()).status().ok();
}

/// This process's own scheduling group with a high priority, until it is dropped; best effort.
struct Preferred(Option<String>);

impl Preferred {
    fn now() -> Self {
        let group = std::fs::read_to_string(OWN_GROUP).ok();
        let before = group.and_then(|text| Some(text.trim().rsplit_once("nice ")?.1.to_owned()));
        std::fs::write(OWN_GROUP, "-20").ok();
        Preferred(before)
    }
}

impl Drop for Preferred {
    fn drop(&mut self) {
        self.0.as_ref().map(|before| std::fs::write(OWN_GROUP, before));
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// 19950 as `19.9k`.
fn short(figure: f64) -> String {
    match figure {
        f if f >= 99_950.0 => format!("{:.0}k", f / 1e3),
        f if f >= 9_995.0 => format!("{:.1}k", f / 1e3),
        f if f >= 1_000.0 => format!("{:.2}k", f / 1e3),
        f => format!("{f:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_whatever_the_order() {
        assert_eq!(median(vec![9.0, 1.0, 5.0]), 5.0);
        assert!(median(vec![]).is_nan());
    }

    #[test]
    fn figures_have_three_digits() {
        let shown = [7.4, 1_234.0, 19_950.0, 123_456.0].map(short);
        assert_eq!(shown, ["7", "1.23k", "19.9k", "123k"]);
    }
}
