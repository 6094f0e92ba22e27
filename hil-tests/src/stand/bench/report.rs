//! The results for eyes: tables that are Markdown too.

use super::asked::{self, Bound};
use super::limit;
use super::results::{Measurement, Origin, Results};
use super::{median, short};
use comfy_table::{CellAlignment, Table, presets};

/// The whole page, `benches/RESULTS.md`.
pub fn page(results: &Results) -> String {
    let mut page = "# What was measured\n\nWritten by `cargo xtask bench --keep` from [results.json](results.json), which has every \
                    round; here are medians.\nAbsolute figures depend on the machine: quote ratios within one table.\n"
        .to_owned();
    for (name, part) in &results.0 {
        page += &format!("\n## {name}\n\n{}\n\n{}\n", origin(&part.origin), measured(&part.measurements));
    }
    page += &format!("\n## How far from the limit\n\n{}\n", limits(results));
    page + &format!("\n## Asked for\n\n{}\n", asked(results, true))
}

fn origin(of: &Origin) -> String {
    let Origin { date, commit, processor, cores, seconds, rounds } = of;
    format!(
        "{date}, commit {commit}, {cores} cores of {processor}; medians of {rounds} runs of {seconds} s, taken in turn."
    )
}

/// A part: a line for each task, a column for each contender.
pub fn measured(measurements: &[Measurement]) -> Table {
    let contenders = unique(measurements.iter().map(|m| m.contender.as_str()));
    let header = ["task, threads"].into_iter().chain(contenders.iter().copied());
    let mut table = table(&header.collect::<Vec<_>>());
    for (what, threads) in unique(measurements.iter().map(|m| (m.what.as_str(), m.threads))) {
        let cell = |contender: &&str| {
            let found =
                measurements.iter().find(|m| m.what == what && m.threads == threads && m.contender == **contender);
            found.map_or("–".to_owned(), shown)
        };
        table.add_row([format!("{what}, {threads}")].into_iter().chain(contenders.iter().map(cell)));
    }
    table
}

fn shown(m: &Measurement) -> String {
    let figure = median(m.figures.clone());
    match m.unit.as_str() {
        "1/s" => short(figure),
        unit => format!("{figure:.2} {unit}"),
    }
}

/// What is asked for, and whether it is reached; what was not measured only if it is to be said.
pub fn asked(results: &Results, says_unmeasured: bool) -> Table {
    let mut table = table(&["asked for", "at least", "at most", "measured", "reached"]);
    for asked in asked::all(results).into_iter().filter(|asked| says_unmeasured || asked.figure.is_some()) {
        let (least, most) = match asked.bound {
            Bound::AtLeast(least) => (number(least), String::new()),
            Bound::AtMost(most) => (String::new(), number(most)),
        };
        let reached = asked.figure.map_or("not measured", |f| if asked.bound.holds(f) { "yes" } else { "NO" });
        let figure = asked.figure.map_or("–".to_owned(), number);
        table.add_row([asked.says, least, most, figure, reached.to_owned()]);
    }
    table
}

/// How much of what AWS-LC does alone each of our bodies reaches.
pub fn limits(results: &Results) -> Table {
    let mut table = table(&["of AWS-LC's own rate, %", "embedded", "appliance"]);
    let all: Vec<_> = results.0.values().flat_map(|part| &part.measurements).collect();
    for alone in all.iter().filter(|m| m.contender == limit::NAME && m.unit == "1/s") {
        let share = |body| match results.figure(&alone.what, body, alone.threads) {
            Some(figure) => format!("{:.0}", figure / median(alone.figures.clone()) * 100.0),
            None => "–".to_owned(),
        };
        table.add_row([format!("{}, {}", alone.what, alone.threads), share("embedded"), share("appliance")]);
    }
    table
}

fn number(figure: f64) -> String {
    if figure < 1e3 { format!("{figure:.2}") } else { short(figure) }
}

fn unique<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = vec![];
    all.for_each(|one| {
        if !seen.contains(&one) {
            seen.push(one);
        }
    });
    seen
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
