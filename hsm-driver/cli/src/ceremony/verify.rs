//! `coloa ceremony verify`: from the folder alone whether the ceremony was as it says: the plan that was confirmed, a journal
//! without a gap, a quorum's signatures over both, and the device's own log, signed, in which every part of it was noted in time.

use super::Trouble;
use super::close::{AUDIT, STATEMENT, statement};
use super::journal::{Journal, What, sha256};
use super::plan::Plan;
use super::signature;
use super::stage::{confirmed_plan, key_of, notes};
use crate::audit::split;
use crate::custodian::check_value;
use crate::fault::Fault;
use crate::screen::{Screen, hex, moment};
use coloa_crypto_native::Native;
use coloa_engine::audit::verify_against;
use serde_json::json;
use std::path::Path;

/// What was verified.
pub struct Verified {
    pub plan: Plan,
    pub journal: Journal,
    /// Who signed.
    pub signed: Vec<String>,
    /// When the device signed its log.
    pub time: u64,
}

pub fn verify(screen: &Screen, dir: &Path, trusted: Option<&Path>) -> Result<(), Fault> {
    let found = examine(screen, dir, trusted)?;
    let serial = found.journal.known_text("serial").unwrap_or_default().to_owned();
    let certificate =
        found.journal.last(What::Concluded).map(|r| r.text("certificate_sha256").to_owned()).unwrap_or_default();
    let vouched = match trusted {
        Some(_) => screen.text("the certificate that was given", "chứng thư được đưa"),
        None => screen.text(
            "the certificate in the folder: compare its SHA-256 with the printed minutes",
            "chứng thư trong thư mục: so SHA-256 với biên bản đã in",
        ),
    };
    screen.facts(
        &json!({
            "title": found.plan.title, "serial": serial, "records": found.journal.records.len(), "signed": found.signed,
            "quorum": found.plan.quorum, "device_signed": found.time, "certificate": certificate,
            "trusted": trusted.is_some(), "id": found.journal.id(),
        }),
        vec![
            (screen.text("Ceremony", "Buổi lễ"), found.plan.title.clone()),
            (screen.text("Plan", "Kế hoạch"), screen.text("the one that was confirmed", "đúng bản đã xác nhận").into()),
            (
                screen.text("Journal", "Nhật ký"),
                format!("{}: {}", screen.text("whole", "liền mạch"), found.journal.records.len()),
            ),
            (
                screen.text("Signed by", "Người ký"),
                format!("{} ({} / {})", found.signed.join(", "), found.signed.len(), found.plan.quorum),
            ),
            (screen.text("Device", "Thiết bị"), serial),
            (screen.text("Clock set back", "Đồng hồ lùi"), stepped(screen, &found.journal)),
            (screen.text("The device signed at", "Thiết bị ký lúc"), moment(found.time)),
            (screen.text("SHA-256 of its certificate", "SHA-256 chứng thư của nó"), certificate),
            (screen.text("Trusted by", "Tin theo"), vouched.to_owned()),
        ],
    );
    screen.note(&format!(
        "{}\n{}",
        screen.text("With OpenSSL, in the folder:", "Bằng OpenSSL, trong thư mục:"),
        openssl(&found)
    ));
    Ok(())
}

/// The records before which the clock of the ceremony's machine went back.
fn stepped(screen: &Screen, journal: &Journal) -> String {
    let pairs = journal.records.iter().zip(journal.records.iter().skip(1));
    let back: Vec<String> = pairs.filter(|(a, b)| b.time < a.time).map(|(_, b)| format!("#{}", b.number)).collect();
    if back.is_empty() { screen.text("never", "không").to_owned() } else { back.join(" ") }
}

/// How others check it, without this program.
pub fn openssl(found: &Verified) -> String {
    let indexes = (1..).zip(found.plan.custodians()).filter(|(_, p)| found.signed.contains(&p.name)).map(|(n, _)| n);
    let custodians = indexes.map(|n: usize| {
        format!("  openssl dgst -sha384 -verify custodian-{n}.pem -signature custodian-{n}.sig {STATEMENT}\n")
    });
    let device = "  sha256sum plan.toml                          # as the statement says\n\
                  \x20 openssl verify -CAfile device.pem audit.pem\n\
                  \x20 openssl x509 -in audit.pem -noout -pubkey > audit.pub\n\
                  \x20 openssl dgst -sha384 -verify audit.pub -signature checkpoint.sig checkpoint.bin";
    custodians.collect::<String>() + device
}

/// Everything that can be known from the folder.
pub fn examine(screen: &Screen, dir: &Path, trusted: Option<&Path>) -> Result<Verified, Fault> {
    let journal = Journal::read(dir)?;
    let plan = confirmed_plan(dir, &journal)?;
    let closed = journal.records.last().filter(|r| r.what == What::Closed).cloned();
    let closed = closed.filter(|_| journal.torn == 0).ok_or(Trouble::NotClosed)?;
    are_done(screen, &plan, &journal)?;
    let signed = signatures(screen, dir, &plan, &journal)?;
    let file = dir.join(AUDIT);
    let bytes = std::fs::read(&file).map_err(|e| Fault::file(&file, e))?;
    if hex(&sha256(&bytes)) != closed.text("audit") {
        let english = "the device's log in the folder is not the one that the journal ends with";
        return Err(forged(screen, english, "nhật ký thiết bị trong thư mục không phải bản mà buổi lễ kết thúc"));
    }
    let time = device(screen, &file, (&bytes, &journal), trusted)?;
    Ok(Verified { plan, journal, signed, time })
}

fn forged(screen: &Screen, english: &str, vietnamese: &str) -> Fault {
    Trouble::Forged { what: screen.text(english, vietnamese).to_owned() }.into()
}

/// Every step of the plan is done, and everybody confirmed it.
fn are_done(screen: &Screen, plan: &Plan, journal: &Journal) -> Result<(), Fault> {
    let steps = (1..=plan.steps.len()).all(|step| journal.has(step, What::Done));
    let confirmed = |name: &str| journal.records.iter().any(|r| r.what == What::Confirmed && r.person == name);
    let people = plan.people.iter().all(|p| confirmed(&p.name));
    if steps && people {
        return Ok(());
    }
    Err(forged(
        screen,
        "not every step of the plan is done, or not everybody confirmed it",
        "chưa đủ các bước của kế hoạch, hoặc chưa đủ người xác nhận",
    ))
}

/// A quorum of custodians has signed exactly this plan and this journal (R2).
fn signatures(screen: &Screen, dir: &Path, plan: &Plan, journal: &Journal) -> Result<Vec<String>, Fault> {
    let text = statement(plan, journal).unwrap_or_default();
    let written = std::fs::read(dir.join(STATEMENT)).unwrap_or_default();
    if written != text.as_bytes() {
        return Err(forged(
            screen,
            "the statement is not what the plan and the journal make it",
            "bản tuyên bố không khớp kế hoạch và nhật ký",
        ));
    }
    let mut signed = Vec::new();
    for person in plan.custodians() {
        let Some(record) = journal.records.iter().find(|r| r.what == What::Signed && r.person == person.name) else {
            continue;
        };
        let signature = data_encoding::HEXLOWER.decode(record.text("signature").as_bytes()).unwrap_or_default();
        if !signature::is_der(&key_of(journal, &person.name), text.as_bytes(), &signature) {
            let english = format!(
                "the signature of {} is not by the key {}",
                person.name,
                check_value(&key_of(journal, &person.name))
            );
            return Err(forged(screen, &english, &format!("chữ ký của {} không đúng khóa", person.name)));
        }
        signed.push(person.name.clone());
    }
    match u32::try_from(signed.len()).unwrap_or(u32::MAX) >= plan.quorum {
        true => Ok(signed),
        false => Err(Trouble::TooFew { given: signed.len(), wanted: plan.quorum }.into()),
    }
}

/// The device's log is whole and signed, names every note in the journal's order, and its last one is the journal before its end.
fn device(
    screen: &Screen,
    file: &Path,
    (bytes, journal): (&[u8], &Journal),
    trusted: Option<&Path>,
) -> Result<u64, Fault> {
    let broken = |record| Fault::Chain { file: file.to_path_buf(), record };
    let (records, seal) = split(bytes).map_err(broken)?;
    let seal = seal.ok_or_else(|| Fault::Unsealed { file: file.to_path_buf() })?;
    seal.check(file, trusted)?;
    verify_against(&Native::new(), &records, &seal.checkpoint.text.digest).map_err(broken)?;
    let serial = seal.checkpoint.text.serial.as_str();
    let concluded = journal.last(What::Concluded);
    let same = journal.known_text("serial") == Some(serial)
        && concluded.is_some_and(|r| r.text("certificate_sha256") == hex(&sha256(&seal.device)));
    let places: Option<Vec<usize>> =
        notes(&records, journal).iter().map(|(_, digest)| place(journal, digest)).collect();
    let last = journal.records.len().checked_sub(2);
    let noted = places.is_some_and(|places| places.is_sorted() && places.last().copied() == last);
    if same && noted {
        return Ok(seal.checkpoint.text.time);
    }
    Err(forged(
        screen,
        "what the device noted in its log is not this journal",
        "những gì thiết bị ghi nhận không phải nhật ký này",
    ))
}

fn place(journal: &Journal, digest: &str) -> Option<usize> {
    journal.digests.iter().position(|d| hex(d) == digest)
}
