//! `cargo xtask requirements`: what the product must hold to, and whether it does.

use crate::run;
use anyhow::{Context, Result, bail};
use coloa_xtask::progress::Task;
use coloa_xtask::requirements::cited::{self, Program, Test};
use coloa_xtask::requirements::sabotage::{Copy, Outcome, is_named};
use coloa_xtask::requirements::{Requirement, Requirements, Sabotage};
use coloa_xtask::tally;
use comfy_table::{Table, presets};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Run the tests of each requirement and print requirement, tests and result.
///
/// A requirement that no test shows is a hole, and ends this with an error; so does a test that fails.
/// With --sabotage the tree is copied, one line of the copy is changed, and the test that is named in
/// hil-tests/requirements.toml must notice.
///
/// Examples:
///   cargo xtask requirements
///   cargo xtask requirements R4 R12
///   cargo xtask requirements --list
///   cargo xtask requirements --sabotage R36
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Only these, as R4 or R12
    #[arg(value_name = "R…")]
    only: Vec<String>,
    /// Say which test shows what, and run none
    #[arg(long, conflicts_with = "sabotage")]
    list: bool,
    /// Break the product, and see whether the tests notice
    #[arg(long)]
    sabotage: bool,
    /// One JSON document instead of a table
    #[arg(long)]
    json: bool,
}

/// How wide the table is where no terminal says.
const PAGE: u16 = 160;

/// One line of what is printed.
#[derive(Serialize)]
struct Row {
    requirement: String,
    says: String,
    tests: Vec<Shown>,
    verdict: String,
    good: bool,
}

#[derive(Serialize)]
struct Shown {
    package: String,
    name: String,
    passed: Option<bool>,
}

/// `cargo xtask requirements`
pub fn main(args: &Args) -> Result<()> {
    let table = Requirements::read(run::root())?;
    let chosen = table.chosen(&args.only)?;
    let tests = cited::tests(run::root())?;
    let rows = if args.sabotage { sabotaged(&chosen, &tests)? } else { shown(&chosen, &tests, !args.list)? };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        println!("{}", drawn(&rows));
    }
    let bad: Vec<_> = rows.iter().filter(|row| !row.good).map(|row| row.requirement.as_str()).collect();
    if bad.is_empty() { Ok(()) } else { bail!("{} of {} do not hold: {}", bad.len(), rows.len(), bad.join(", ")) }
}

/// Every requirement with its tests, run or only named.
fn shown(chosen: &[(u32, &Requirement)], tests: &[Test], run: bool) -> Result<Vec<Row>> {
    let of = |number| tests.iter().filter(move |test| test.cites.contains(&number));
    let wanted: BTreeSet<&Test> = chosen.iter().flat_map(|(number, _)| of(*number)).collect();
    let results = if run { run_all(&wanted)? } else { BTreeMap::new() };
    Ok(chosen.iter().map(|(number, requirement)| row(*number, requirement, of(*number), &results)).collect())
}

fn row<'a>(
    number: u32,
    requirement: &Requirement,
    tests: impl Iterator<Item = &'a Test>,
    results: &BTreeMap<&Test, bool>,
) -> Row {
    let show = |test: &Test| Shown {
        package: test.program.package.clone(),
        name: test.name.clone(),
        passed: results.get(test).copied(),
    };
    let tests: Vec<Shown> = tests.map(show).collect();
    let failed: Vec<_> = tests.iter().filter(|test| test.passed == Some(false)).map(|t| t.name.as_str()).collect();
    let unrun = tests.iter().filter(|test| test.passed.is_none()).count();
    let (good, verdict) = match (&requirement.open, tests.len(), failed.as_slice()) {
        (Some(why), 0, _) => (false, format!("HOLE: {why}")),
        (None, 0, _) => (false, "HOLE: no test cites it".to_owned()),
        (Some(why), n, []) => (false, format!("HOLE: {why} ({n} tests show a part)")),
        (None, n, []) if unrun == n => (true, format!("{n} named")),
        (None, n, []) if unrun == 0 => (true, format!("✔ {n} passed")),
        (None, n, []) => (false, format!("✘ {unrun} of {n} did not run")),
        (_, _, failed) => (false, format!("✘ {}", failed.join(", "))),
    };
    Row { requirement: format!("R{number}"), says: requirement.says.clone(), tests, verdict, good }
}

/// Runs each program of tests once.
fn run_all<'a>(wanted: &BTreeSet<&'a Test>) -> Result<BTreeMap<&'a Test, bool>> {
    let mut programs: BTreeMap<&Program, Vec<&'a Test>> = BTreeMap::new();
    for test in wanted {
        programs.entry(&test.program).or_default().push(test);
    }
    let mut results = BTreeMap::new();
    for (program, tests) in programs {
        let mut cargo = run::cargo(&["test", "--locked", "--no-fail-fast"]);
        cargo.args(program.words()).arg("--").args(tests.iter().map(|test| &test.name));
        let title = format!("{} {}", program.package, program.target.as_deref().unwrap_or("(own code)"));
        let mut said = Vec::new();
        run::listened(Task::start(title), &mut cargo, |line| said.push(line.to_owned()))?;
        for test in tests {
            let of_it =
                said.iter().filter_map(|line| tally::verdict(line)).filter(|(name, _)| is_named(name, &test.name));
            if let Some(passed) = of_it.map(|(_, passed)| passed).reduce(|a, b| a && b) {
                results.insert(test, passed);
            }
        }
    }
    Ok(results)
}

/// Every sabotage tried out; a requirement without one is a hole as well.
fn sabotaged(chosen: &[(u32, &Requirement)], tests: &[Test]) -> Result<Vec<Row>> {
    let copy = Copy::make(run::root(), &run::target()?)?;
    let mut rows = Vec::new();
    for (number, requirement) in chosen {
        let requirement_name = format!("R{number}");
        if requirement.sabotage.is_empty() {
            let why = requirement.open.clone().unwrap_or_else(|| "no sabotage is named".to_owned());
            let (says, tests) = (requirement.says.clone(), Vec::new());
            rows.push(Row { requirement: requirement_name, says, tests, verdict: format!("HOLE: {why}"), good: false });
            continue;
        }
        for sabotage in &requirement.sabotage {
            rows.push(tried(&copy, *number, sabotage, tests)?);
        }
    }
    Ok(rows)
}

fn tried(copy: &Copy, number: u32, sabotage: &Sabotage, tests: &[Test]) -> Result<Row> {
    let test = tests.iter().find(|test| test.name == sabotage.fails && test.cites.contains(&number));
    let test = test.with_context(|| format!("no test `{}` cites R{number}", sabotage.fails))?;
    let task = Task::start(format!("R{number}: {}", sabotage.does));
    let outcome = copy.try_out(sabotage, &test.program)?;
    let (good, verdict) = match &outcome {
        Outcome::Noticed => (true, "✔ noticed".to_owned()),
        Outcome::Unnoticed => (false, "✘ the test passes all the same".to_owned()),
        Outcome::Broken(said) => (false, format!("✘ it did not run: {said}")),
    };
    if good {
        task.done()
    } else {
        task.fail()
    }
    let shown = Shown { package: test.program.package.clone(), name: test.name.clone(), passed: Some(!good) };
    Ok(Row { requirement: format!("R{number}"), says: sabotage.does.clone(), tests: vec![shown], verdict, good })
}

fn drawn(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY).set_header(["", "requirement", "tests", "result"]);
    table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    if !coloa_xtask::progress::on_terminal() {
        table.set_width(PAGE);
    }
    for row in rows {
        let names: Vec<_> = row.tests.iter().take(3).map(|test| test.name.as_str()).collect();
        let more = row.tests.len().saturating_sub(names.len());
        let more = if more > 0 { format!("\nand {more} more") } else { String::new() };
        table.add_row([&row.requirement, &row.says, &format!("{}{more}", names.join("\n")), &row.verdict]);
    }
    table
}
