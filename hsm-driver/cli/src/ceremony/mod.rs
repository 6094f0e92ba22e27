//! `coloa ceremony`: a guided, scripted act of several people, from a confirmed plan to signed minutes (R2).
//!
//! The plan says who is there and what is done. Each step is written into the journal before it touches the appliance and after;
//! after an interruption the appliance is asked what is true, so that nothing is done twice and nothing weaker is taken for what was
//! meant. Every act is one of the commands that there are, custodians sign with the keys and by the ways that they have, and the
//! device notes the journal's head in its audit log, whose end it signs: no cryptography is added.
//!
//! It needs no network: the appliance is at a local socket, custodians elsewhere are reached by a folder on a removable medium,
//! and `verify` needs nothing but the ceremony's folder.

mod acts;
pub mod arguments;
mod close;
mod gather;
mod journal;
mod minutes;
mod plan;
mod signature;
mod stage;
mod status;
mod trouble;
mod verify;
mod words;

pub use trouble::Trouble;

use crate::client::write;
use crate::custodian::point;
use crate::fault::Fault;
use crate::screen::{Screen, hex};
use crate::socket::AdminSocket;
use arguments::Ceremony;
use journal::{Journal, What, data, sha256};
use plan::{Plan, check_value};
use serde_json::{Map, Value, json};
use stage::{PLAN, Stage};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

pub fn run(open: impl Fn() -> Result<AdminSocket, Fault>, screen: &Screen, asked: &Ceremony) -> Result<(), Fault> {
    match asked {
        Ceremony::Plan { file: Some(file), .. } => show_plan(screen, file),
        Ceremony::Plan { file: None, .. } => {
            print!("{}", plan::EXAMPLE);
            Ok(())
        }
        Ceremony::New { plan, dir } => new(screen, plan, dir),
        Ceremony::Run { dir } => go_on(&mut Stage::enter(&open, screen, dir)?),
        Ceremony::Status { dir } => status::show(screen, dir),
        Ceremony::Minutes { dir, html, out, .. } => minutes::write_out(screen, dir, (*html, out.as_deref())),
        Ceremony::Sign(asked) => close::sign(screen, asked),
        Ceremony::Verify { dir, device_certificate } => verify::verify(screen, dir, device_certificate.as_deref()),
    }
}

fn read_plan(file: &Path) -> Result<(Plan, Vec<u8>), Fault> {
    let bytes = std::fs::read(file).map_err(|e| Fault::file(file, e))?;
    let text = str::from_utf8(&bytes).map_err(|e| Fault::file(file, e))?;
    Ok((Plan::parse(file, text)?, bytes))
}

fn show_plan(screen: &Screen, file: &Path) -> Result<(), Fault> {
    let (plan, bytes) = read_plan(file)?;
    let check = check_value(&bytes);
    let steps: Vec<&str> = plan.steps.iter().map(plan::Step::name).collect();
    let people: Vec<&str> = plan.people.iter().map(|p| p.name.as_str()).collect();
    screen.facts(
        &json!({
            "title": plan.title, "check_value": check, "sha256": hex(&sha256(&bytes)), "quorum": plan.quorum,
            "participants": people, "steps": steps,
        }),
        vec![
            (screen.text("Ceremony", "Buổi lễ"), plan.title.clone()),
            (screen.text("Place", "Địa điểm"), plan.place.clone()),
            (screen.text("Participants", "Người tham gia"), people.join(", ")),
            (screen.text("Quorum", "Số phiếu cần"), format!("{} / {}", plan.quorum, plan.custodians().count())),
            (screen.text("Steps", "Các bước"), steps.join(", ")),
            (screen.text("Check value, to be confirmed at the start", "Giá trị kiểm tra, xác nhận lúc bắt đầu"), check),
        ],
    );
    Ok(())
}

/// What is missing is noticed before there is a folder.
fn new(screen: &Screen, file: &Path, dir: &Path) -> Result<(), Fault> {
    let (plan, bytes) = read_plan(file)?;
    let made = DirBuilder::new().mode(0o700).create(dir);
    made.map_err(|e| Fault::file(dir, e))?;
    let begun = begin(&plan, &bytes, dir);
    if begun.is_err() {
        // Nothing was begun in it.
        let _ = std::fs::remove_file(dir.join(PLAN));
        let _ = std::fs::remove_dir(dir);
    }
    let check = check_value(&bytes);
    begun.map(|id| {
        let next = screen
            .text("Everybody confirms the plan's check value at", "Mọi người xác nhận giá trị kiểm tra kế hoạch tại");
        let sentence = format!("{}: {next} `coloa ceremony run`: {check}", dir.display());
        screen.done(&json!({ "dir": dir, "id": id, "check_value": check }), &sentence);
    })
}

fn begin(plan: &Plan, bytes: &[u8], dir: &Path) -> Result<String, Fault> {
    let mut keys = Map::new();
    for person in plan.custodians() {
        let public = person.public.as_ref().map(|path| point(&dir.join(path))).transpose()?;
        keys.insert(person.name.clone(), Value::String(hex(&public.unwrap_or_default())));
    }
    write(&dir.join(PLAN), bytes, 0o600)?;
    let opened = json!({
        "plan": hex(&sha256(bytes)), "title": plan.title, "keys": keys, "software": env!("CARGO_PKG_VERSION"),
    });
    Ok(Journal::create(dir, plan.operator(), data(opened))?.id())
}

/// Begins, or goes on: what is done is not done again.
fn go_on(stage: &mut Stage<'_>) -> Result<(), Fault> {
    if stage.journal.last(What::Closed).is_some() {
        return status::report(stage.screen, &stage.dir, &stage.plan, &stage.journal);
    }
    stage.resume()?;
    stage.is_anchored()?;
    stage.confirm()?;
    stage.meet()?;
    for step in 1..=stage.plan.steps.len() {
        acts::take(stage, step)?;
    }
    close::close(stage)?;
    status::report(stage.screen, &stage.dir, &stage.plan, &stage.journal)
}
