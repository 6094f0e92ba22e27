//! A ceremony under way: the plan, the journal, the people at the screen, and the appliance, which is asked anew at every turn
//! whether it is still the right one with the right custodians.

use super::Trouble;
use super::journal::{Data, Journal, What, data, sha256};
use super::plan::{Person, Plan, Step, check_value};
use crate::audit::{pages, parse};
use crate::fault::Fault;
use crate::screen::{Screen, hex};
use crate::socket::AdminSocket;
use coloa_wire::CommandCode;
use coloa_wire::command::{
    AuditNote, Custodian, CustodiansRead, CustodiansReadReply, DeviceInfo, DeviceInfoReply, Lifecycle,
};
use serde_json::json;
use std::path::{Path, PathBuf};

/// The plan's name in the ceremony's folder.
pub const PLAN: &str = "plan.toml";
/// How often a person may type something else than was asked for.
const TRIES: usize = 3;

/// Opens the appliance's socket.
pub type Open<'a> = dyn Fn() -> Result<AdminSocket, Fault> + 'a;

pub struct Stage<'a> {
    pub screen: &'a Screen,
    open: &'a Open<'a>,
    pub dir: PathBuf,
    pub plan: Plan,
    pub journal: Journal,
}

/// Reads the plan that the journal begins with.
pub fn confirmed_plan(dir: &Path, journal: &Journal) -> Result<Plan, Fault> {
    let file = dir.join(PLAN);
    let bytes = std::fs::read(&file).map_err(|e| Fault::file(&file, e))?;
    let confirmed = journal.opened().is_some_and(|opened| opened.text("plan") == hex(&sha256(&bytes)));
    if !confirmed {
        return Err(Trouble::PlanChanged { file }.into());
    }
    let text = String::from_utf8(bytes).map_err(|e| Fault::file(&file, e))?;
    Plan::parse(&file, &text)
}

impl<'a> Stage<'a> {
    /// Takes up a ceremony; nobody else does meanwhile.
    pub fn enter(open: &'a Open<'a>, screen: &'a Screen, dir: &Path) -> Result<Self, Fault> {
        let journal = Journal::open(dir)?;
        let plan = confirmed_plan(dir, &journal)?;
        Ok(Stage { screen, open, dir: dir.to_path_buf(), plan, journal })
    }

    /// Says that it goes on, and with what loss.
    pub fn resume(&mut self) -> Result<(), Fault> {
        if self.journal.records.len() < 2 && self.journal.torn == 0 {
            return Ok(());
        }
        let torn = self.journal.torn;
        self.journal.mend()?;
        if torn > 0 {
            self.say(
                "The journal's last line was cut by the interruption: it is taken off, and the appliance is asked.",
                "Dòng cuối của nhật ký bị cắt khi gián đoạn: đã bỏ dòng đó, hỏi lại thiết bị.",
            );
        }
        let operator = self.plan.operator().to_owned();
        self.journal.append(What::Resumed, None, &operator, data(json!({ "torn": torn })))
    }

    pub fn say(&self, english: &str, vietnamese: &str) {
        self.screen.note(self.screen.text(english, vietnamese));
    }

    pub fn record(&mut self, what: What, step: usize, person: &str, data: Data) -> Result<(), Fault> {
        self.journal.append(what, Some(step), person, data)
    }

    /// Records something within a step.
    pub fn note(&mut self, step: usize, person: &str, value: serde_json::Value) -> Result<(), Fault> {
        self.record(What::Noted, step, person, data(value))
    }

    /// What a person types; the end of input is an interruption.
    pub fn ask(&self, prompt: &str) -> Result<String, Fault> {
        self.screen.note(prompt);
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line).map_err(|_| Trouble::Interrupted)?;
        if read == 0 { Err(Trouble::Interrupted.into()) } else { Ok(line.trim().to_owned()) }
    }

    /// One of these words.
    pub fn choose(&self, prompt: &str, words: &[&str]) -> Result<String, Fault> {
        for _ in 0..TRIES {
            let typed = self.ask(prompt)?.to_lowercase();
            if words.contains(&typed.as_str()) {
                return Ok(typed);
            }
        }
        Err(Trouble::Interrupted.into())
    }

    /// A person types the check value that another side shows; what differs is recorded, and stops the ceremony.
    pub fn compare(&mut self, step: Option<usize>, person: &str, subject: &str, value: &str) -> Result<(), Fault> {
        let prompt = format!(
            "{person}: {} {subject}: {}",
            self.screen.text("check value of", "giá trị kiểm tra của"),
            self.screen.text(
                "type what the other side shows (not this screen).",
                "gõ giá trị bên kia hiện (không phải màn hình này)."
            ),
        );
        for _ in 0..TRIES {
            let typed = self.ask(&prompt)?;
            if bare(&typed) == bare(value) {
                return Ok(());
            }
            self.say("It differs.", "Không trùng.");
            // What is no check value could be a secret that was typed at the wrong prompt.
            let is_one = bare(&typed).len() == bare(value).len() && bare(&typed).bytes().all(|b| b.is_ascii_hexdigit());
            let typed = is_one.then(|| bare(&typed));
            let said = json!({ "kind": "differs", "subject": subject, "typed": typed, "here": value });
            self.journal.append(What::Noted, step, person, data(said))?;
        }
        Err(Trouble::Differs { subject: subject.to_owned() }.into())
    }

    /// Which device it is, where the plan does not begin with a new one.
    pub fn meet(&mut self) -> Result<(), Fault> {
        let new = self.plan.has_step(|step| matches!(step, Step::Initialise { .. }));
        if new || self.journal.known_text("serial").is_some() {
            return Ok(());
        }
        self.appliance()?;
        let info = self.any_appliance()?.1;
        let operator = self.plan.operator().to_owned();
        let said = json!({
            "kind": "device", "serial": info.serial, "device": info.label, "version": info.version,
            "audit_from": info.audit_records,
        });
        self.journal.append(What::Noted, None, &operator, data(said))
    }

    /// The appliance, whatever its state, as long as it is the one of this ceremony.
    pub fn any_appliance(&self) -> Result<(AdminSocket, DeviceInfoReply), Fault> {
        let mut socket = (self.open)()?;
        let info = socket.call(None, &DeviceInfo {})?;
        match self.journal.known_text("serial") {
            Some(wanted) if wanted != info.serial => {
                Err(Trouble::OtherDevice { wanted: wanted.to_owned(), found: info.serial }.into())
            }
            _ => Ok((socket, info)),
        }
    }

    /// The appliance in service, with the plan's custodians once they are named (R2).
    pub fn appliance(&self) -> Result<AdminSocket, Fault> {
        let (mut socket, info) = self.any_appliance()?;
        if info.lifecycle == Lifecycle::Manufactured {
            return Err(Trouble::NotInitialised.into());
        }
        if self.are_named() && !self.is_governed(&socket.call(None, &CustodiansRead {})?) {
            return Err(Trouble::OtherCustodians.into());
        }
        Ok(socket)
    }

    /// Whether the custodians must be the device's by now.
    fn are_named(&self) -> bool {
        let steps = (1..).zip(&self.plan.steps);
        let naming = steps
            .filter(|(_, step)| matches!(step, Step::Custodians {} | Step::Restore { .. }))
            .map(|(number, _)| number)
            .next();
        naming.is_none_or(|number| self.journal.has(number, What::Done))
    }

    /// Whether these are the plan's custodians, and as many a quorum.
    pub fn is_governed(&self, found: &CustodiansReadReply) -> bool {
        let sorted = |mut all: Vec<Custodian>| {
            all.sort_by(|a, b| a.name.cmp(&b.name));
            all
        };
        found.threshold == self.plan.quorum && sorted(found.custodians.clone()) == sorted(self.custodians())
    }

    /// The custodians with the keys that they had when the ceremony was opened.
    pub fn custodians(&self) -> Vec<Custodian> {
        let named = |person: &Person| Custodian { name: person.name.clone(), key: self.key_of(&person.name) };
        self.plan.custodians().map(named).collect()
    }

    /// A custodian's public key; empty for nobody's.
    pub fn key_of(&self, name: &str) -> Vec<u8> {
        key_of(&self.journal, name)
    }

    /// A path of the plan.
    pub fn path(&self, path: &Path) -> PathBuf {
        self.dir.join(path)
    }

    /// Has the device note the journal's head in its log: from now on a shorter or another journal is noticed.
    pub fn anchor(&self) -> Result<(), Fault> {
        let digest = *self.journal.digests.last().unwrap_or(&[0; 32]);
        self.appliance()?.call(None, &AuditNote { subject: subject(&self.journal), digest })?;
        Ok(())
    }

    /// The same where the device is in service by now.
    pub fn anchor_if_there(&self) -> Result<(), Fault> {
        if self.journal.known_text("serial").is_some() { self.anchor() } else { Ok(()) }
    }

    /// Whether every record that the device noted is in the journal.
    pub fn is_anchored(&self) -> Result<(), Fault> {
        let Some(from) = self.journal.known("audit_from").and_then(serde_json::Value::as_u64) else { return Ok(()) };
        let (mut socket, info) = self.any_appliance()?;
        let records = pages(&mut socket, (from, info.audit_records), |_| Ok(()))?;
        let noted = notes(&records, &self.journal);
        let known: Vec<String> = self.journal.digests.iter().map(|d| hex(d)).collect();
        match noted.iter().all(|(_, digest)| known.contains(digest)) {
            true => Ok(()),
            false => Err(Trouble::Cut { file: self.dir.join(super::journal::NAME) }.into()),
        }
    }

    /// Every participant confirms the plan, each from a copy of their own.
    pub fn confirm(&mut self) -> Result<(), Fault> {
        let file = self.path(Path::new(PLAN));
        let value = check_value(&std::fs::read(&file).map_err(|e| Fault::file(&file, e))?);
        let names: Vec<String> = self.plan.people.iter().map(|p| p.name.clone()).collect();
        self.say(
            "Each participant confirms the plan: `coloa ceremony plan FILE`, on a machine and from a copy of their own, shows its check value.",
            "Từng người xác nhận kế hoạch: `coloa ceremony plan FILE` trên máy và bản của chính mình cho giá trị kiểm tra.",
        );
        for name in names {
            let confirmed = |r: &super::journal::Record| r.what == What::Confirmed && r.person == name;
            if self.journal.records.iter().any(confirmed) {
                continue;
            }
            let subject = self.screen.text("the plan", "kế hoạch").to_owned();
            self.compare(None, &name, &subject, &value)?;
            self.journal.append(What::Confirmed, None, &name, data(json!({ "check": value })))?;
        }
        Ok(())
    }
}

/// What the device's log calls the ceremony's notes.
pub fn subject(journal: &Journal) -> String {
    format!("ceremony {}", journal.id())
}

/// The notes of a ceremony in a device's log: the record's number, and the digest.
pub fn notes(records: &[Vec<u8>], journal: &Journal) -> Vec<(u64, String)> {
    let before = format!("{} ", subject(journal));
    let noted = records
        .iter()
        .filter_map(|r| parse(r))
        .filter(|r| r.event.action == CommandCode::AuditNote as u16 && r.event.result == 0);
    let digest = |detail: &str| detail.strip_prefix(&before).map(str::to_owned);
    noted.filter_map(|r| Some((r.number, digest(r.event.detail.as_deref()?)?))).collect()
}

/// A custodian's public key as it was when the ceremony was opened; empty for nobody's.
pub fn key_of(journal: &Journal, name: &str) -> Vec<u8> {
    let keys = journal.opened().and_then(|opened| opened.data.get("keys"));
    let digits = keys.and_then(|keys| keys.get(name)).and_then(serde_json::Value::as_str).unwrap_or_default();
    data_encoding::HEXLOWER.decode(digits.as_bytes()).unwrap_or_default()
}

/// A check value as it is compared: digits and letters only.
fn bare(value: &str) -> String {
    value.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase()
}
