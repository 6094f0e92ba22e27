//! The minutes of a ceremony, for a printer: who was there, what was done when, which check values were compared, what was not as
//! expected, and lines to sign on. They are made of the journal alone, in either language.

use super::journal::{Journal, Record, What};
use super::plan::{Plan, Role};
use super::stage::{confirmed_plan, key_of};
use super::verify::examine;
use super::words;
use crate::client::write;
use crate::custodian::check_value;
use crate::fault::Fault;
use crate::inventory::paper::{Paper, Section};
use crate::screen::{Screen, moment};
use serde_json::{Value, json};
use std::path::Path;

/// Columns of the text: a page on its side.
const COLUMNS: u16 = 132;
/// Where a person signs.
const LINE: &str = "________________________";

pub fn write_out(screen: &Screen, dir: &Path, (html, out): (bool, Option<&Path>)) -> Result<(), Fault> {
    let journal = Journal::read(dir)?;
    let plan = confirmed_plan(dir, &journal)?;
    // Minutes of a ceremony that is over are only made of what holds.
    if journal.last(What::Closed).is_some() {
        examine(screen, dir, None)?;
    }
    let text = match (screen.is_json(), html) {
        (true, _) => format!("{}\n", document(&plan, &journal)),
        (false, true) => paper(screen, &plan, &journal).html(screen.text("en", "vi")),
        (false, false) => paper(screen, &plan, &journal).text_within(Some(COLUMNS)),
    };
    let Some(out) = out else {
        print!("{text}");
        return Ok(());
    };
    write(out, text.as_bytes(), 0o644)?;
    screen.note(&format!("{}: {}", out.display(), screen.text("written.", "đã ghi.")));
    Ok(())
}

fn document(plan: &Plan, journal: &Journal) -> Value {
    let people = plan.people.iter().map(|p| json!({ "name": p.name, "role": role(p.role).0 }));
    json!({
        "title": plan.title, "place": plan.place, "quorum": plan.quorum, "participants": people.collect::<Vec<_>>(),
        "id": journal.id(), "head": journal.head(), "records": journal.records, "torn": journal.torn,
        "closed": journal.last(What::Closed).is_some(),
    })
}

fn role(role: Role) -> (&'static str, &'static str) {
    match role {
        Role::Operator => ("operator", "người vận hành"),
        Role::Witness => ("witness", "người làm chứng"),
        Role::Custodian => ("custodian", "người giữ khóa"),
    }
}

fn paper(screen: &Screen, plan: &Plan, journal: &Journal) -> Paper {
    let title = format!("{}: {}", screen.text("Minutes", "Biên bản"), plan.title);
    let sections = vec![
        whole(screen, plan, journal),
        people(screen, plan, journal),
        steps(screen, plan, journal),
        course(screen, journal),
        signatures(screen, plan, journal),
    ];
    Paper { title, sections }
}

fn whole(screen: &Screen, plan: &Plan, journal: &Journal) -> Section {
    let known = |name| journal.known_text(name).unwrap_or_default().to_owned();
    let at = |record: Option<&Record>| record.map(|r| moment(r.time)).unwrap_or_default();
    let concluded = journal.last(What::Concluded);
    let facts = [
        (screen.text("Place", "Địa điểm"), plan.place.clone()),
        (screen.text("Begun", "Bắt đầu"), at(journal.opened())),
        (screen.text("Ended", "Kết thúc"), at(journal.last(What::Closed))),
        (screen.text("Device", "Thiết bị"), known("device")),
        (screen.text("Serial number", "Số hiệu"), known("serial")),
        (
            screen.text("SHA-256 of the device's certificate", "SHA-256 chứng thư thiết bị"),
            concluded.map(|r| r.text("certificate_sha256").to_owned()).unwrap_or_default(),
        ),
        (screen.text("Quorum", "Số phiếu cần"), format!("{} / {}", plan.quorum, plan.custodians().count())),
        (
            screen.text("SHA-256 of the plan", "SHA-256 của kế hoạch"),
            journal.opened().map(|r| r.text("plan").to_owned()).unwrap_or_default(),
        ),
        (screen.text("SHA-256 of the journal", "SHA-256 của nhật ký"), journal.head()),
    ];
    let rows = facts.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    let header = [screen.text("What", "Mục"), screen.text("Value", "Nội dung")];
    let mut section = Section::new(screen.text("Ceremony", "Buổi lễ"), &header, rows);
    if journal.last(What::Closed).is_none() {
        let open =
            screen.text("The ceremony is not at its end: this is a draft.", "Buổi lễ chưa kết thúc: đây là bản nháp.");
        section.notes.push(open.to_owned());
    }
    section
}

fn people(screen: &Screen, plan: &Plan, journal: &Journal) -> Section {
    let confirmed = |name: &str| {
        journal.records.iter().find(|r| r.what == What::Confirmed && r.person == name).map(|r| moment(r.time))
    };
    let row = |p: &super::plan::Person| {
        let (english, vietnamese) = role(p.role);
        let key = key_of(journal, &p.name);
        let check = if key.is_empty() { String::new() } else { check_value(&key) };
        vec![p.name.clone(), screen.text(english, vietnamese).to_owned(), confirmed(&p.name).unwrap_or_default(), check]
    };
    let header = [
        screen.text("Name", "Họ tên"),
        screen.text("Role", "Vai trò"),
        screen.text("Confirmed the plan at", "Xác nhận kế hoạch lúc"),
        screen.text("Check value of the key", "Giá trị kiểm tra của khóa"),
    ];
    Section::new(screen.text("Participants", "Người tham gia"), &header, plan.people.iter().map(row).collect())
}

fn steps(screen: &Screen, plan: &Plan, journal: &Journal) -> Section {
    let time =
        |step, what| journal.of_step(step).rev().find(|r| r.what == what).map(|r| moment(r.time)).unwrap_or_default();
    let result = |step| {
        journal.of_step(step).rev().find(|r| r.what == What::Done).map(|r| words::values(screen, r)).unwrap_or_default()
    };
    let row = |(step, asked): (usize, &super::plan::Step)| {
        vec![
            step.to_string(),
            words::act(screen, asked.name()).to_owned(),
            time(step, What::Begins),
            time(step, What::Done),
            result(step),
        ]
    };
    let header = [
        screen.text("Step", "Bước"),
        screen.text("What", "Việc"),
        screen.text("Begun", "Bắt đầu"),
        screen.text("Done", "Xong"),
        screen.text("Result", "Kết quả"),
    ];
    Section::new(screen.text("Steps", "Các bước"), &header, (1..).zip(&plan.steps).map(row).collect())
}

/// Everything that happened, record by record.
fn course(screen: &Screen, journal: &Journal) -> Section {
    let row = |r: &Record| {
        let step = r.step.map(|n| n.to_string()).unwrap_or_default();
        vec![
            r.number.to_string(),
            moment(r.time),
            step,
            r.person.clone(),
            words::happened(screen, r).to_owned(),
            words::values(screen, r),
        ]
    };
    let header = [
        screen.text("Record", "Bản ghi"),
        screen.text("At", "Lúc"),
        screen.text("Step", "Bước"),
        screen.text("Person", "Người"),
        screen.text("What", "Việc"),
        screen.text("With", "Nội dung"),
    ];
    Section::new(screen.text("Course", "Diễn biến"), &header, journal.records.iter().map(row).collect())
}

/// Lines to sign on, and what stands for them in the folder.
fn signatures(screen: &Screen, plan: &Plan, journal: &Journal) -> Section {
    let signed = |name: &str| journal.records.iter().any(|r| r.what == What::Signed && r.person == name);
    let row = |p: &super::plan::Person| {
        let (english, vietnamese) = role(p.role);
        let by_key = match (p.role, signed(&p.name)) {
            (Role::Custodian, true) => screen.text("signed with the key", "đã ký bằng khóa"),
            (Role::Custodian, false) => screen.text("not signed with the key", "chưa ký bằng khóa"),
            _ => "",
        };
        vec![p.name.clone(), screen.text(english, vietnamese).to_owned(), by_key.to_owned(), LINE.to_owned()]
    };
    let header = [
        screen.text("Name", "Họ tên"),
        screen.text("Role", "Vai trò"),
        screen.text("By key", "Bằng khóa"),
        screen.text("Signature, date", "Chữ ký, ngày"),
    ];
    let rows = plan.people.iter().map(row).collect();
    let mut section = Section::new(screen.text("Signatures", "Chữ ký"), &header, rows);
    section.notes.push(
        screen
            .text(
                "`coloa ceremony verify` checks the folder that these minutes were made of, and says how OpenSSL does.",
                "`coloa ceremony verify` kiểm tra thư mục gốc của biên bản này và cho biết cách dùng OpenSSL.",
            )
            .to_owned(),
    );
    section
}
