//! A ceremony that is killed, at every question and after every command that the appliance did (R2, R3): it goes on where it was,
//! nothing is done twice, and nothing weaker comes of it.
#![forbid(unsafe_code)]

mod hall;
mod site;

use coloa_wire::CommandCode;
use hall::between::Between;
use hall::{Hall, STEPS};
use serde_json::{Value, json};
use std::cell::Cell;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

/// Killed with SIGKILL at the nth line that it writes, for every n: the next run goes on from there.
#[test]
fn killed_at_every_line_it_goes_on_and_ends_as_if_nothing_had_been() {
    let hall = Hall::new(STEPS);
    let mut runs = 0;
    for until in 1.. {
        let lines = Cell::new(0);
        // Further each time, so that every line is the last one once.
        let (completed, said) = hall.run_until(|_| {
            lines.set(lines.get() + 1);
            lines.get() == until
        });
        runs += 1;
        if completed {
            break;
        }
        assert!(lines.get() >= until, "it stopped by itself: {said}");
    }
    assert!(runs > 20, "{runs}");
    is_whole(&hall);
}

/// The same from the beginning for every question of a ceremony that was not interrupted before.
#[test]
fn interrupted_once_after_each_record_it_ends_the_same() {
    let whole = Hall::new(STEPS);
    whole.completes();
    let records = whole.journal().lines().count();
    for cut in (2..records - 3).step_by(3) {
        let hall = Hall::new(STEPS);
        let journal = hall.path("journal.jsonl");
        let (completed, said) = hall.run_until(|_| fs::read_to_string(&journal).unwrap().lines().count() >= cut);
        assert!(!completed, "{cut}: {said}");
        hall.completes();
        is_whole(&hall);
    }
}

/// Each thing is there once, and the journal's own account is in order.
fn is_whole(hall: &Hall) {
    let verified = hall.verify();
    assert_eq!(verified["signed"], json!(["An", "Bình", "Chi"]));
    let log = log_of(hall);
    let times =
        |code: CommandCode| log.iter().filter(|(action, result, _)| *action == code as u16 && *result == 0).count();
    assert_eq!(times(CommandCode::DeviceInitialize), 1);
    assert_eq!(times(CommandCode::CustodiansSet), 1);
    assert_eq!(times(CommandCode::PartitionCreate), 1);
    assert_eq!(times(CommandCode::QuorumExecute), times(CommandCode::BackupKeyCreate));
    assert_eq!(hall.site.does(&["status"])["quorum"], 2);
    assert_eq!(hall.site.does(&["quorum", "list"]), json!([]));
    let key = hall.site.does(&["backup", "key", "show"]);
    // R2: another key than the first one was only drawn because a share had been lost, and by a quorum.
    assert_eq!(times(CommandCode::BackupKeyCreate), 1 + hall.notes("lost").len());
    assert_eq!(hall.notes("share-right").len(), 3);
    let done = hall.notes("done");
    let drawn = done.iter().find(|r| r["data"].get("threshold").is_some() && r["data"].get("key").is_some()).unwrap();
    assert_eq!((&drawn["data"]["key"], &drawn["data"]["threshold"]), (&key["key"], &2.into()));
    let steps: Vec<u64> = done.iter().map(|r| r["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, (1..=9).collect::<Vec<u64>>(), "each step is done once, in its order");
}

/// Action, result and detail of the device's records.
fn log_of(hall: &Hall) -> Vec<(u16, u16, Option<String>)> {
    let out = hall.site.path("log.cbor");
    let _ = fs::remove_file(&out);
    hall.site.does(&["audit", "export", "--out", "log.cbor"]);
    let bytes = fs::read(out).unwrap();
    let (mut decoder, mut log) = (minicbor::Decoder::new(&bytes), Vec::new());
    while decoder.datatype().unwrap() == minicbor::data::Type::Bytes {
        let record: coloa_engine::audit::AuditRecord = minicbor::decode(decoder.bytes().unwrap()).unwrap();
        log.push((record.event.action, record.event.result, record.event.detail));
    }
    log
}

/// The appliance has done it and `coloa` never hears of it: for every command that changes something, of a whole ceremony.
#[test]
fn what_the_appliance_did_unheard_is_not_done_again() {
    let mut hall = Hall::new(STEPS);
    let unheard: Arc<Mutex<Vec<u16>>> = Arc::default();
    let told = unheard.clone();
    let between = Between::new(&hall, move |code| {
        let changes = CommandCode::try_from(code).is_ok_and(CommandCode::changes_state);
        let mut seen = told.lock().unwrap();
        // Notes are made at every step, the others once or twice; each is lost twice at most.
        let heard = !changes || seen.iter().filter(|c| **c == code).count() >= 2;
        if !heard {
            seen.push(code);
        }
        heard
    });
    hall.socket = Some(between.path.clone());
    let mut runs = 0;
    loop {
        runs += 1;
        assert!(runs < 60, "it does not end");
        let (completed, said) = hall.run();
        if completed {
            break;
        }
        assert!(said.contains("closed the connection"), "{said}");
    }
    let seen = unheard.lock().unwrap().clone();
    for code in [CommandCode::DeviceInitialize, CommandCode::CustodiansSet, CommandCode::QuorumPropose] {
        assert!(seen.contains(&(code as u16)), "{}", code.name());
    }
    for code in [CommandCode::QuorumVote, CommandCode::QuorumExecute, CommandCode::BackupShareTake] {
        assert!(seen.contains(&(code as u16)), "{}", code.name());
    }
    for code in [CommandCode::PartitionCreate, CommandCode::TokenInitialize, CommandCode::AuditNote] {
        assert!(seen.contains(&(code as u16)), "{}", code.name());
    }
    // Two shares left the appliance and reached nobody: each time a quorum drew another key.
    assert_eq!(hall.notes("lost").len(), 2);
    hall.socket = None;
    is_whole(&hall);
}

/// R2, R3: a share that is lost after another one was handed out makes both void: a quorum draws another key, and the void
/// share on An's medium is replaced.
#[test]
fn a_lost_share_makes_the_key_void_and_a_quorum_draws_another() {
    let mut hall = Hall::new(STEPS);
    let mut taken = 0;
    let between = Between::new(&hall, move |code| {
        taken += usize::from(code == CommandCode::BackupShareTake as u16);
        code != CommandCode::BackupShareTake as u16 || taken != 2
    });
    hall.socket = Some(between.path.clone());
    assert!(hall.stops().contains("closed the connection"));
    let share = || fs::read_to_string(hall.site.path("an/share-1.txt")).unwrap();
    let void = share();
    hall.completes();
    let lost = hall.notes("lost");
    assert_eq!((lost.len(), &lost[0]["person"]), (1, &json!("Bình")));
    assert_ne!(share(), void);
    // Whoever votes the second time reads why.
    let proposed = hall.notes("proposed");
    assert_eq!((proposed.len(), hall.notes("approved").len(), hall.notes("key").len()), (2, 4, 2));
    hall.socket = None;
    is_whole(&hall);
}

/// R2, R17: a journal that was put back to an earlier state does not lead to anything being done once more.
#[test]
fn an_older_copy_of_the_journal_is_refused() {
    let hall = Hall::new(STEPS);
    hall.run_until(|line| line.contains("Step 4/9"));
    let older = hall.journal();
    hall.run_until(|line| line.contains("Step 7/9"));
    let newer = hall.journal();
    assert!(newer.starts_with(&older) && newer.len() > older.len());
    fs::write(hall.path("journal.jsonl"), &older).unwrap();
    assert!(hall.stops().contains("the journal was cut, or is an older copy"));
    // Edited in the middle, with the rest as it was.
    fs::write(hall.path("journal.jsonl"), newer.replacen("00123", "00124", 1)).unwrap();
    assert!(hall.stops().contains("the journal was edited there"));
    fs::write(hall.path("journal.jsonl"), &newer).unwrap();
    hall.completes();
    is_whole(&hall);
}

/// The power went while a line was written: it is said, and the appliance is asked.
#[test]
fn a_torn_line_is_said_and_gone_on_from() {
    let hall = Hall::new(STEPS);
    hall.run_until(|line| line.contains("Step 6/9"));
    let journal = hall.journal();
    fs::write(hall.path("journal.jsonl"), format!("{journal}{{\"number\":99,\"prev")).unwrap();
    assert!(hall.site.does(&["ceremony", "status", "lễ"])["torn"].as_u64() > Some(0));
    let said = hall.completes();
    assert!(said.contains("cut by the interruption"), "{said}");
    assert_eq!(hall.notes("resumed").iter().filter(|r| r["data"]["torn"] != 0).count(), 1);
    is_whole(&hall);
}

/// Shares that are shown on the screen, to be written down; the terminal is a real one.
#[test]
fn a_share_is_shown_at_a_terminal_and_nowhere_else() {
    let steps = "[[step]]\nact = \"initialise\"\nlabel = \"x\"\n[[step]]\nact = \"custodians\"\n[[step]]\nact = \"backup-key\"\n";
    let hall = Hall::new(steps);
    let without = fs::read_to_string(hall.site.path("plan.toml")).unwrap().replacen("share = \"../an\"\n", "", 1);
    fs::write(hall.site.path("plan.toml"), without).unwrap();
    fs::remove_dir_all(hall.path("")).unwrap();
    hall.site.does(&["ceremony", "new", "--plan", "plan.toml", "--dir", "lễ"]);
    // There is no terminal: the share does not go into a pipe.
    assert!(hall.stops().contains("there is no terminal"));
    let shown = at_terminal(&hall);
    assert!(shown.contains("SHARE OF THE MASTER BACKUP KEY") && shown.contains("\u{1b}[2J"), "{shown}");
    let line = shown.lines().find(|l| l.trim_start().starts_with("1  ")).unwrap().trim()[3..20].to_owned();
    assert!(!hall.journal().contains(&line), "the share is in the journal");
    hall.verify();
}

/// Runs it under `script`, which gives it a terminal, and answers there.
fn at_terminal(hall: &Hall) -> String {
    let mut script = Command::new("script");
    let command = format!("{} ceremony run lễ", env!("CARGO_BIN_EXE_coloa"));
    script.args(["-qefc", &command, "/dev/null"]).current_dir(hall.site.dir.path()).env("LC_ALL", "C.UTF-8");
    script.env("COLOA_ADMIN_SOCKET", hall.site.path("coload.sock")).env("COLUMNS", "200");
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut seen, mut answered, mut asked) = (Vec::new(), 0, String::new());
    let mut some = [0; 4096];
    while let Ok(n @ 1..) = stdout.read(&mut some) {
        seen.extend_from_slice(&some[..n]);
        let text = String::from_utf8_lossy(&seen).into_owned();
        while let Some((line, next)) = next_question(&text, answered) {
            answered = next;
            // After the screen was cleared.
            let line = line.rsplit("\u{1b}[H").next().unwrap_or_default().to_owned();
            if line.contains("ress Enter") {
                let _ = writeln!(stdin);
            } else if line.contains("on your share") && line.starts_with("An") {
                let check = text.split("check value ").filter(|part| part.contains("\r\n\r\n 1  ")).last().unwrap();
                let _ = writeln!(stdin, "{}", &check[..16]);
            } else {
                hall.answer(&line, &mut asked, &mut stdin);
            }
        }
    }
    let text = String::from_utf8_lossy(&seen).into_owned();
    assert!(child.wait().unwrap().success(), "{text}");
    text
}

/// The next whole line, or a prompt that ends with a space.
fn next_question(text: &str, from: usize) -> Option<(String, usize)> {
    let rest = text.get(from..)?;
    match rest.find('\n') {
        Some(end) => Some((rest[..end].trim_end_matches('\r').to_owned(), from + end + 1)),
        None if rest.contains("ress Enter") && rest.ends_with(": ") => Some((rest.to_owned(), text.len())),
        None => None,
    }
}

/// One custodian's key in a PKCS#11 token.
#[test]
fn a_custodian_signs_with_a_token() {
    let modules = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"];
    let module = modules.into_iter().find(|path| Path::new(path).exists()).expect("`cargo xtask setup` installs it");
    let steps = "[[step]]\nact = \"initialise\"\nlabel = \"x\"\n[[step]]\nact = \"custodians\"\n[[step]]\nact = \"backup-key\"\n";
    let hall = Hall { absent: vec!["Chi"], ..Hall::new(steps) };
    let tokens = hall.site.path("tokens");
    fs::create_dir(&tokens).unwrap();
    fs::write(hall.site.path("softhsm2.conf"), format!("directories.tokendir = {}\n", tokens.display())).unwrap();
    let here = |program: &str, words: &[&str]| {
        let mut command = Command::new(program);
        command.args(words).current_dir(hall.site.dir.path()).env("SOFTHSM2_CONF", hall.site.path("softhsm2.conf"));
        let out = command.output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    };
    here("softhsm2-util", &["--init-token", "--free", "--label", "Binh", "--so-pin", "12345678", "--pin", "123456"]);
    let _ = fs::remove_file(hall.site.path("binh.key.pub"));
    let key = ["--module", module, "--token", "Binh", "--label", "quorum", "--user-pin-file", "user.pin"];
    here(env!("CARGO_BIN_EXE_coloa"), &[&["custodian", "new", "--out", "binh.key.pub"], &key[..]].concat());
    let text = fs::read_to_string(hall.site.path("plan.toml")).unwrap();
    let place = format!("module = \"{module}\"\ntoken = \"Binh\"\nlabel = \"quorum\"\npin-file = \"../user.pin\"\n");
    let text = text.replacen("key = \"../binh.key\"\npassphrase-file = \"../pass\"\n", &place, 1);
    fs::write(hall.site.path("plan.toml"), text).unwrap();
    fs::remove_dir_all(hall.path("")).unwrap();
    hall.site.does(&["ceremony", "new", "--plan", "plan.toml", "--dir", "lễ"]);
    hall.completes();
    assert_eq!(hall.verify()["signed"], json!(["An", "Bình"]));
    let signature = ["dgst", "-sha384", "-verify", "custodian-2.pem", "-signature", "custodian-2.sig", "statement.txt"];
    assert!(hall.openssl(&signature).status.success());
    let approved: Vec<Value> = hall.notes("approved");
    assert_eq!((approved.len(), &approved[1]["person"]), (2, &json!("Bình")));
}
