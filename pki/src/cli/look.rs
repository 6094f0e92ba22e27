//! `list`, `export`, `verify`, `journal` and `profiles`: what needs no token.

use std::path::Path;

use coloa_pki::ca::{Authority, chain_and_root};
use coloa_pki::clock::Moment;
use coloa_pki::inventory::{Entry, Inventory, State};
use coloa_pki::journal::Event;
use coloa_pki::pem::{self, Label};
use coloa_pki::validate::{Revocation, Validator};
use coloa_pki::{Error, Result, hex, profile};
use serde_json::{Value, json};

use super::arguments::{Export, JournalVerify, Look, Verify};
use super::screen::Screen;

pub fn inventory(args: &Look, screen: &Screen) -> Result<()> {
    let authority = Authority::open(&args.dir)?;
    let (inventory, now) = (authority.inventory(), Moment::now()?);
    let totals = inventory.totals(now);
    let documents: Vec<Value> = inventory.entries().iter().map(|e| entry_document(e, now)).collect();
    let rows = inventory.entries().iter().map(|e| {
        vec![
            hex::encode(&e.serial),
            e.profile.clone(),
            e.subject.clone(),
            e.not_after.to_string(),
            state_word(e.state(now), screen).to_owned(),
        ]
    });
    let header = [
        screen.text("serial number", "số hiệu"),
        screen.text("profile", "mẫu"),
        screen.text("subject", "chủ thể"),
        screen.text("valid until", "có hiệu lực đến"),
        screen.text("state", "trạng thái"),
    ];
    let below = format!(
        "{} {} = {} {} + {} {} + {} {}\n",
        totals.issued,
        screen.text("issued", "đã cấp"),
        totals.active,
        state_word(State::Active, screen),
        totals.revoked,
        state_word(State::Revoked, screen),
        totals.expired,
        state_word(State::Expired, screen),
    );
    let list = inventory.next_update.map(|at| json!({ "number": inventory.last_list, "next-update": at }));
    let document =
        json!({ "role": inventory.role, "totals": totals, "certificates": documents, "revocation-list": list });
    screen.rows(document, &header, rows.collect(), &(below + &list_words(inventory, now, screen)));
    Ok(())
}

/// The state of the revocation list: an old one stops relying parties that require a fresh one.
fn list_words(inventory: &Inventory, now: Moment, screen: &Screen) -> String {
    let words = match inventory.next_update {
        None => screen.text("no revocation list yet", "chưa có danh sách chứng thư bị thu hồi"),
        Some(at) if at < now => screen.text("revocation list is old", "danh sách chứng thư bị thu hồi đã cũ"),
        Some(_) => screen.text("revocation list", "danh sách chứng thư bị thu hồi"),
    };
    match inventory.next_update {
        None => format!("{words}\n"),
        Some(at) => {
            let before = screen.text("replace before", "thay trước");
            format!("{words}: {}, {before} {at}\n", inventory.last_list)
        }
    }
}

fn entry_document(entry: &Entry, now: Moment) -> Value {
    json!({
        "serial": hex::encode(&entry.serial), "profile": entry.profile, "subject": entry.subject,
        "not-before": entry.not_before, "not-after": entry.not_after, "state": entry.state(now),
        "revoked": entry.revoked.map(|(at, reason)| json!({ "at": at, "reason": reason })),
    })
}

fn state_word(state: State, screen: &Screen) -> &'static str {
    match state {
        State::Active => screen.text("active", "đang hoạt động"),
        State::Revoked => screen.text("revoked", "đã thu hồi"),
        State::Expired => screen.text("expired", "hết hạn"),
    }
}

pub fn export(args: &Export, screen: &Screen) -> Result<()> {
    let authority = Authority::open(&args.dir)?;
    let serial = hex::encode(&args.serial.0);
    let entry = authority.inventory().find(&args.serial.0).ok_or(Error::SerialUnknown { serial })?;
    let facts = [(screen.text("subject", "chủ thể"), entry.subject.clone())];
    let document = entry_document(entry, Moment::now()?);
    screen.release(args.out.as_deref(), &[(Label::Certificate, &entry.certificate)], document, &facts)
}

pub fn verify(args: &Verify, screen: &Screen) -> Result<()> {
    let (roots, mut between, mut lists) = trusted(args)?;
    let mut judged = certificates(&args.certificate)?;
    let leaf = judged.remove(0);
    between.extend(judged);
    for path in &args.untrusted {
        between.extend(certificates(path)?);
    }
    for path in &args.crl {
        lists.extend(pem::decode(&pem::read_file(path)?, Label::Crl)?);
    }
    let at = match args.at {
        Some(at) => at,
        None => Moment::now()?,
    };
    let policy = if args.require_crl { Revocation::Require } else { Revocation::IfAvailable };
    let validator =
        Validator::new(&roots, at, args.purpose)?.with_intermediates(&between).with_lists(&lists, policy)?;
    let path = validator.validate(&leaf)?;
    let document = json!({ "valid": true, "serial": path.serial, "path": path.subjects, "at": at });
    let facts = [
        (screen.text("verdict", "kết luận"), screen.text("valid", "hợp lệ").to_owned()),
        (screen.text("serial number", "số hiệu"), path.serial),
        (screen.text("trust chain", "chuỗi tin cậy"), path.subjects.join("\n← ")),
    ];
    screen.facts(document, &facts);
    Ok(())
}

type Bundles = (Vec<Vec<u8>>, Vec<Vec<u8>>, Vec<Vec<u8>>);

/// Roots, certificates between, and lists, from `--dir` or `--root`.
fn trusted(args: &Verify) -> Result<Bundles> {
    let Some(directory) = &args.dir else {
        let roots = args.root.as_deref().map(certificates).transpose()?.unwrap_or_default();
        return Ok((roots, Vec::new(), Vec::new()));
    };
    let (chain, root) = chain_and_root(directory)?;
    let list = directory.join("crl.pem");
    let lists = if list.exists() { pem::decode(&pem::read_file(&list)?, Label::Crl)? } else { Vec::new() };
    Ok((vec![root], chain, lists))
}

fn certificates(path: &Path) -> Result<Vec<Vec<u8>>> {
    pem::decode(&pem::read_file(path)?, Label::Certificate)
}

pub fn journal_verify(args: &JournalVerify, screen: &Screen) -> Result<()> {
    let authority = Authority::open(&args.dir)?;
    let journal = authority.journal();
    journal.verify_signatures()?;
    if let Some(expected) = args.expect {
        let there = journal.records().iter().any(|r| r.number == expected.number && r.hash == expected.hash);
        there.then_some(()).ok_or(Error::JournalOther { number: expected.number })?;
    }
    let head = format!("{}:{}", journal.head().number, journal.head().hash);
    let document = json!({ "records": journal.records().len(), "head": head, "unfinished-bytes": journal.torn() });
    let facts = [
        (screen.text("verdict", "kết luận"), screen.text("intact", "nguyên vẹn").to_owned()),
        (screen.text("records", "số bản ghi"), journal.records().len().to_string()),
        (screen.text("journal head", "đầu nhật ký"), head),
        (
            screen.text("unfinished bytes (dropped at the next work)", "byte dở dang (sẽ bỏ lần tới)"),
            journal.torn().to_string(),
        ),
    ];
    screen.facts(document, &facts);
    Ok(())
}

pub fn journal_show(args: &Look, screen: &Screen) -> Result<()> {
    let authority = Authority::open(&args.dir)?;
    let records = authority.journal().records();
    let documents: Vec<Value> = records
        .iter()
        .map(|r| json!({ "number": r.number, "time": r.time, "hash": r.hash, "record": r.event }))
        .collect();
    let rows = records.iter().map(|r| vec![r.number.to_string(), r.time.to_string(), event_words(&r.event)]);
    let header = ["#", screen.text("time", "thời gian"), screen.text("event", "sự kiện")];
    screen.rows(json!(documents), &header, rows.collect(), "");
    Ok(())
}

fn event_words(event: &Event) -> String {
    match event {
        Event::Opened { role, .. } => format!("opened {role:?}").to_lowercase(),
        Event::Issued { profile, certificate } => {
            let serial = Inventory::describe(certificate).map(|e| hex::encode(&e.serial));
            format!("issued {profile} {}", serial.unwrap_or_default())
        }
        Event::Revoked { serial, reason } => format!("revoked {} {reason:?}", hex::encode(serial)),
        Event::ListIssued { list, next_update, .. } => format!("list {list}, next {next_update}"),
        Event::PackageMade { package, site, .. } => format!("package {} for {site}", hex::encode(package)),
        Event::PackageVoided { package } => format!("package {} withdrawn", hex::encode(package)),
        Event::PackageReceived { package, device, alarm, .. } => {
            let alarm = alarm.as_deref().map(|why| format!(", ALARM: {why}")).unwrap_or_default();
            format!("receipt for package {} from {}{alarm}", hex::encode(package), device.escape_default())
        }
        Event::Repaired { dropped } => format!("repaired, {dropped} bytes"),
        Event::ClockSteppedBack { from } => format!("clock stepped back from {from}"),
    }
}

pub fn profiles(screen: &Screen) -> Result<()> {
    let all: Vec<_> = profile::all().collect();
    let documents: Vec<Value> = all
        .iter()
        .map(|p| {
            json!({
                "name": p.name, "purpose": p.purpose, "issued-by": p.issued_by, "default-days": p.default_days,
                "max-days": p.max_days, "path-length": p.path_len,
            })
        })
        .collect();
    let rows = all.iter().map(|p| {
        let issued_by: Vec<String> = p.issued_by.iter().map(|r| format!("{r:?}").to_lowercase()).collect();
        vec![p.name.into(), p.purpose.into(), issued_by.join(", "), format!("{} / {}", p.default_days, p.max_days)]
    });
    let header = [
        screen.text("profile", "mẫu"),
        screen.text("purpose", "mục đích"),
        screen.text("issued by", "nơi cấp"),
        screen.text("days (default / most)", "số ngày (mặc định / tối đa)"),
    ];
    screen.rows(json!(documents), &header, rows.collect(), "");
    Ok(())
}
