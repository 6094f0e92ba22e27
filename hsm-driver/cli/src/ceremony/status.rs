//! `coloa ceremony status`: how far it is, read from the journal alone.

use super::journal::{Journal, What};
use super::plan::Plan;
use super::stage::confirmed_plan;
use super::words;
use crate::fault::Fault;
use crate::screen::{Screen, moment};
use serde_json::json;
use std::path::Path;

/// How far a step is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    Done,
    Begun,
    Waits,
}

pub fn reached(journal: &Journal, step: usize) -> Reached {
    match (journal.has(step, What::Done), journal.has(step, What::Begins)) {
        (true, _) => Reached::Done,
        (false, true) => Reached::Begun,
        (false, false) => Reached::Waits,
    }
}

pub fn show(screen: &Screen, dir: &Path) -> Result<(), Fault> {
    let journal = Journal::read(dir)?;
    let plan = confirmed_plan(dir, &journal)?;
    report(screen, dir, &plan, &journal)
}

/// The steps with their state, then who has signed.
pub fn report(screen: &Screen, dir: &Path, plan: &Plan, journal: &Journal) -> Result<(), Fault> {
    let word = |step| match reached(journal, step) {
        Reached::Done => ("done", screen.text("done", "xong")),
        Reached::Begun => ("begun", screen.text("begun", "đã bắt đầu")),
        Reached::Waits => ("waits", screen.text("waits", "chờ")),
    };
    let time = |step| journal.of_step(step).last().map(|r| moment(r.time)).unwrap_or_default();
    let signed: Vec<&str> =
        journal.records.iter().filter(|r| r.what == What::Signed).map(|r| r.person.as_str()).collect();
    let closed = journal.last(What::Closed).is_some();
    let steps: Vec<_> = (1..).zip(&plan.steps).map(|(n, s)| json!({ "act": s.name(), "state": word(n).0 })).collect();
    let document = json!({
        "dir": dir, "id": journal.id(), "title": plan.title, "steps": steps, "records": journal.records.len(),
        "head": journal.head(), "torn": journal.torn, "signed": signed, "quorum": plan.quorum, "closed": closed,
        "serial": journal.known_text("serial"),
    });
    let header = [
        screen.text("Step", "Bước"),
        screen.text("What", "Việc"),
        screen.text("State", "Trạng thái"),
        screen.text("At", "Lúc"),
    ];
    let row = |(n, step): (usize, &super::plan::Step)| {
        vec![n.to_string(), words::act(screen, step.name()).to_owned(), word(n).1.to_owned(), time(n)]
    };
    screen.rows(&document, &header, (1..).zip(&plan.steps).map(row).collect());
    let state = match closed {
        true => screen.text("closed", "đã kết thúc"),
        false => screen.text("goes on with `coloa ceremony run`", "tiếp tục bằng `coloa ceremony run`"),
    };
    screen.note(&format!("{}: {} / {}; {state}", screen.text("Signed", "Đã ký"), signed.len(), plan.quorum));
    Ok(())
}
