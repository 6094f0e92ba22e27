//! `package create`, `list`, `void` and `receive` (R32).

pub mod arguments;
mod bulk;

use std::collections::BTreeMap;
use std::path::Path;

use coloa_pki::ca::{Authority, PackageTerms, Unlocked};
use coloa_pki::clock::Moment;
use coloa_pki::package::table::{self, Site};
use coloa_pki::package::{letter, stock};
use coloa_pki::pem::{self, Label};
use coloa_pki::{Error, Result, durable, hex};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::arguments::Look;
use super::screen::Screen;
use super::work::with_authority;
use arguments::{Create, PackageCommand, Receive, Void};
use bulk::Bulk;

pub fn run(command: &PackageCommand, screen: &Screen) -> Result<()> {
    match command {
        PackageCommand::Create(a) => create(a, screen),
        PackageCommand::List(a) => list(a, screen),
        PackageCommand::Void(a) => void(a, screen),
        PackageCommand::Receive(a) => receive(a, screen),
    }
}

fn create(args: &Create, screen: &Screen) -> Result<()> {
    let text = String::from_utf8(pem::read_file(&args.csv)?);
    let table = |why| Error::PackageTable { line: 1, column: "site".into(), why };
    let sites = table::read(&text.map_err(|_| table("the file is not UTF-8"))?)?;
    let (bulk, terms) = (Bulk { out: &args.out, letters: &args.letters }, terms(args)?);
    bulk.prepare()?;
    with_authority(&args.dir, &args.pin, screen, |ca| make_all(ca, &sites, &terms, &bulk))?;
    report(args, &sites, screen)
}

fn terms(args: &Create) -> Result<PackageTerms> {
    let now = Moment::now()?;
    first_certificate(&args.policy_authority)?;
    Ok(PackageTerms {
        batch: args.batch.clone(),
        window: (now.minus_seconds(300), now.plus_days(args.days)?),
        signer_label: args.signer_label.clone(),
        signer: first_certificate(&args.signer)?,
        policy_authority: pem::read_file(&args.policy_authority)?,
        policy: args.policy.as_deref().map(pem::read_file).transpose()?,
        lists: args.crl.as_deref().map(pem::read_file).transpose()?,
    })
}

/// Of a file that may hold its chain too.
fn first_certificate(path: &Path) -> Result<Vec<u8>> {
    let all = pem::decode(&pem::read_file(path)?, Label::Certificate)?;
    all.into_iter().next().ok_or(Error::NotPem { expected: Label::Certificate.text() })
}

/// The first site that fails ends the work: what stopped it (token, disk) would stop the others. All before it are whole.
fn make_all(ca: &mut Unlocked<'_>, sites: &[Site], terms: &PackageTerms, bulk: &Bulk<'_>) -> Result<()> {
    let known = in_batch(ca.authority(), &terms.batch);
    let bar = ProgressBar::new(sites.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg} ({eta})") {
        bar.set_style(style);
    }
    for site in sites {
        bar.set_message(site.name.clone());
        if !known.contains_key(&site.name) {
            let (made, code) = ca.make_package(site, terms, Moment::now()?)?;
            let certificate = pem::encode(Label::Certificate, &made.certificate.0)?;
            let letter = letter::text(site, &made, &code);
            bulk.draft(&site.name, [&made.octets, letter.as_bytes(), certificate.as_bytes()])?;
            ca.package_made(site, &made, &terms.batch, Moment::now()?)?;
        }
        bulk.release(&site.name)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

/// What the journal has of a bulk, by site.
fn in_batch(authority: &Authority, batch: &str) -> BTreeMap<String, stock::Line> {
    let lines = stock::of(authority.journal().records()).into_iter().filter(|l| l.batch == batch);
    lines.map(|line| (line.site.clone(), line)).collect()
}

/// Out of the journal, not out of what this run remembers.
fn report(args: &Create, sites: &[Site], screen: &Screen) -> Result<()> {
    let made = in_batch(&Authority::open(&args.dir)?, &args.batch);
    let of_site = |site: &Site| {
        made.get(&site.name).map(|line| {
            json!({
                "site": line.site, "package": hex::encode(&line.serial), "certificate": hex::encode(&line.certificate),
                "digest": hex::encode(&line.digest), "made": line.made, "until": line.until,
            })
        })
    };
    let packages: Vec<_> = sites.iter().filter_map(of_site).collect();
    let missing = sites.len() - packages.len();
    let document = json!({
        "batch": args.batch, "asked": sites.len(), "issued": packages.len(), "missing": missing, "packages": packages,
    });
    let text = serde_json::to_vec_pretty(&document).map_err(|_| Error::Encoding)?;
    durable::replace(&args.out.join("batch.json"), &text)?;
    let facts = [
        (screen.text("batch", "đợt"), args.batch.clone()),
        (screen.text("sites asked for", "số đơn vị yêu cầu"), sites.len().to_string()),
        (screen.text("packages", "số gói khóa"), packages.len().to_string()),
        (screen.text("packages in", "gói khóa ở"), args.out.display().to_string()),
        (screen.text("letters in", "thư kích hoạt ở"), args.letters.display().to_string()),
    ];
    screen.facts(document, &facts);
    Ok(())
}

fn list(args: &Look, screen: &Screen) -> Result<()> {
    let (authority, now) = (Authority::open(&args.dir)?, Moment::now()?);
    let lines = stock::of(authority.journal().records());
    let (mut rows, mut documents, mut totals) = (Vec::new(), Vec::new(), BTreeMap::new());
    for line in &lines {
        let (state, serial) = (line.state(now).word(), hex::encode(&line.serial));
        *totals.entry(state).or_insert(0_usize) += 1;
        let opened = line.opened.as_ref().map(|(at, device)| format!("{at} {device}")).unwrap_or_default();
        documents.push(json!({
            "package": serial, "site": line.site, "batch": line.batch, "state": state, "made": line.made,
            "until": line.until, "opened": line.opened, "alarms": line.alarms,
        }));
        rows.push(vec![serial, line.site.clone(), line.batch.clone(), state.into(), line.until.to_string(), opened]);
    }
    let below: Vec<String> = totals.iter().map(|(state, n)| format!("{state} {n}")).collect();
    let below = format!("{} = {}\n", lines.len(), below.join(" + "));
    let document = json!({ "made": lines.len(), "states": totals, "packages": documents });
    let english = ["package", "site", "batch", "state", "until", "opened"];
    let vietnamese = ["gói khóa", "đơn vị", "đợt", "trạng thái", "hạn", "đã mở"];
    let header: Vec<&str> = english.into_iter().zip(vietnamese).map(|(e, v)| screen.text(e, v)).collect();
    screen.rows(document, &header, rows, &below);
    Ok(())
}

fn void(args: &Void, screen: &Screen) -> Result<()> {
    let now = Moment::now()?;
    with_authority(&args.dir, &args.pin, screen, |ca| ca.void_package(&args.serial.0, now))?;
    let serial = hex::encode(&args.serial.0);
    let facts = [
        (screen.text("withdrawn", "đã huỷ"), serial.clone()),
        (screen.text("next", "việc tiếp theo"), "coloa-pki crl".into()),
    ];
    screen.facts(json!({ "package": serial, "voided": now }), &facts);
    Ok(())
}

fn receive(args: &Receive, screen: &Screen) -> Result<()> {
    let (octets, now) = (pem::read_file(&args.receipt)?, Moment::now()?);
    let line = with_authority(&args.dir, &args.pin, screen, |ca| ca.receive(&octets, now))?;
    let (serial, opened) = (hex::encode(&line.serial), line.opened.map(|(at, device)| format!("{at}, {device}")));
    let facts = [
        (screen.text("package", "gói khóa"), serial.clone()),
        (screen.text("site", "đơn vị"), line.site.clone()),
        (screen.text("opened", "đã mở"), opened.clone().unwrap_or_default()),
    ];
    screen.facts(json!({ "package": serial, "site": line.site, "opened": opened }), &facts);
    Ok(())
}
