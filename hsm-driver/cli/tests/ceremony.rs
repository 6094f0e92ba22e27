//! A key ceremony from its plan to its minutes, with a real `coload` and custodians who answer (R2, R3): what each side compares,
//! what is refused, and what OpenSSL says of the end.
#![forbid(unsafe_code)]

mod hall;
mod site;

use coloa_wire::CommandCode;
use hall::between::Between;
use hall::{Hall, STEPS, files, plan};
use serde_json::json;
use site::Site;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;

/// The steps up to the custodians, and one more.
const SHORT: &str = "\
[[step]]
act = \"initialise\"
label = \"court-hsm-1\"
[[step]]
act = \"custodians\"
[[step]]
act = \"backup-key\"
";

/// R1, R2, R3: everybody confirms the plan, a quorum has the key drawn, every share is shown; nobody's secret is in the folder.
#[test]
fn a_whole_ceremony_is_recorded_signed_and_verified() {
    let hall = Hall::new(STEPS);
    hall.completes();
    let verified = hall.verify();
    assert_eq!((&verified["signed"], &verified["quorum"]), (&json!(["An", "Bình", "Chi"]), &2.into()));
    let status = hall.site.does(&["status"]);
    assert_eq!((&status["custodians"], &status["quorum"]), (&json!(["An", "Bình", "Chi"]), &2.into()));
    assert_eq!(status["serial"], verified["serial"]);
    assert_eq!(hall.site.does(&["partition", "list"])[0]["label"], "court");
    let key = hall.site.does(&["backup", "key", "show"]);
    assert_eq!((&key["threshold"], &key["holders"][2]["name"]), (&2.into(), &"Chi".into()));
    assert_eq!(hall.notes("confirmed").len(), 5);
    assert_eq!(hall.notes("share-right").len(), 3);
    assert_eq!(hall.notes("approved").len(), 2);
    // What a person must not read is in no file of the folder, and the folder is its owner's.
    let share = fs::read_to_string(hall.site.path("an/share-1.txt")).unwrap();
    let line = share.lines().find(|l| l.starts_with(" 1 ")).unwrap()[4..20].to_owned();
    for file in files(&hall.path("")) {
        let bytes = fs::read(&file).unwrap();
        for secret in [line.as_str(), "đúng mật khẩu này", "12345678", "PRIVATE KEY"] {
            let found = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
            assert!(!found, "{secret} is in {}", file.display());
        }
    }
    let mode = |name: &str| fs::metadata(hall.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("journal.jsonl"), mode("plan.toml")), (0o700, 0o600, 0o600));
    // It is over: once more changes nothing.
    let journal = hall.journal();
    hall.completes();
    assert_eq!(hall.journal(), journal);
}

/// Without this program: the plan's digest, each custodian's signature, the device's certificates and its signature over the
/// log in which the journal's end was noted.
#[test]
fn openssl_says_the_same_of_the_minutes() {
    let hall = Hall::new(STEPS);
    hall.completes();
    let run = |words: &str| {
        let out = hall.openssl(&words.split(' ').collect::<Vec<_>>());
        (out.status.success(), String::from_utf8(out.stdout).unwrap())
    };
    for n in 1..=3 {
        let (verified, said) =
            run(&format!("dgst -sha384 -verify custodian-{n}.pem -signature custodian-{n}.sig statement.txt"));
        assert!(verified && said.contains("Verified OK"), "{n}: {said}");
    }
    assert!(!run("dgst -sha384 -verify custodian-1.pem -signature custodian-2.sig statement.txt").0);
    assert!(run("verify -x509_strict -CAfile device.pem audit.pem").0);
    fs::write(hall.path("audit.pub"), run("x509 -in audit.pem -noout -pubkey").1).unwrap();
    assert!(run("dgst -sha384 -verify audit.pub -signature checkpoint.sig checkpoint.bin").0);
    let (_, digest) = run("dgst -sha256 -r plan.toml");
    let statement = fs::read_to_string(hall.path("statement.txt")).unwrap();
    assert!(statement.contains(&format!("plan: SHA-256 {}", &digest[..64])), "{statement}");
    // The journal up to its conclusion is what was signed: its last line's digest is in the statement.
    let journal = hall.journal();
    let concluded = journal.lines().find(|l| l.contains("\"what\":\"concluded\"")).unwrap();
    fs::write(hall.path("line"), concluded).unwrap();
    assert!(statement.contains(&run("dgst -sha256 -r line").1[..64]), "{statement}");
    // The device's log is one that the auditor's command reads too.
    let audit = ["audit", "verify", "lễ/audit.cbor", "--device-certificate", "lễ/device.pem"];
    assert_eq!(hall.site.does(&audit)["chain"], "whole");
    // What `verify` prints is what was done here.
    let said = hall.site.run(&["ceremony", "verify", "lễ", "--device-certificate", "lễ/device.pem"]);
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(said.contains("openssl dgst -sha384 -verify custodian-3.pem") && said.contains("checkpoint.sig"), "{said}");
}

/// For a printer, in either language; a draft says that it is one.
#[test]
fn minutes_are_printed_in_either_language() {
    let hall = Hall::new(STEPS);
    let draft = String::from_utf8(hall.site.run(&["ceremony", "minutes", "lễ"]).stdout).unwrap();
    assert!(draft.contains("this is a draft"), "{draft}");
    hall.completes();
    let serial = hall.verify()["serial"].as_str().unwrap().to_owned();
    let minutes = |words: &[&str]| {
        let out = hall.site.run(&[words, &["ceremony", "minutes", "lễ"]].concat());
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    };
    let (english, vietnamese) = (minutes(&["--lang", "en"]), minutes(&["--lang", "vi"]));
    for wanted in ["Minutes: Key ceremony <1>", "Dũng", "witness", "00123, 00124", "signed with", "______", &serial] {
        assert!(english.contains(wanted), "{wanted}: {english}");
    }
    for wanted in ["Biên bản", "người giữ khóa", "đã ký bằng khóa", "khởi tạo thiết bị", "Số hiệu", &serial]
    {
        assert!(vietnamese.contains(wanted), "{wanted}: {vietnamese}");
    }
    assert!(!english.contains("draft"));
    let html = ["--lang", "vi", "ceremony", "minutes", "lễ", "--html", "--out", "minutes.html"];
    assert!(hall.site.run(&html).status.success());
    let page = fs::read_to_string(hall.site.path("minutes.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>\n<html lang=\"vi\">") && page.contains("Key ceremony &lt;1&gt;"));
    assert!(
        !page.contains("<script") && !page.contains("href") && !page.contains("src="),
        "it needs nothing but itself"
    );
    assert!(hall.site.fails(&html).contains("minutes.html"), "it is not overwritten");
    let document = hall.site.does(&["ceremony", "minutes", "lễ"]);
    assert_eq!((&document["closed"], &document["participants"][1]["role"]), (&true.into(), &"witness".into()));
}

/// R2: what was confirmed is what is done.
#[test]
fn a_changed_plan_is_refused() {
    let hall = Hall { absent: vec!["An", "Bình"], ..Hall::new(SHORT) };
    assert!(hall.stops().contains("of the 2 custodians"));
    let confirmed = fs::read_to_string(hall.path("plan.toml")).unwrap();
    fs::write(hall.path("plan.toml"), confirmed.replace("court-hsm-1", "court-hsm-2")).unwrap();
    assert!(hall.stops().contains("not the plan that was confirmed"));
    for words in [["status", "lễ"], ["minutes", "lễ"], ["verify", "lễ"]] {
        let said = hall.site.fails(&[&["ceremony"][..], &words].concat());
        assert!(said.contains("not the plan that was confirmed"), "{said}");
    }
    assert!(hall.site.fails(&["--lang", "vi", "ceremony", "status", "lễ"]).contains("không phải kế hoạch"));
    fs::write(hall.path("plan.toml"), confirmed).unwrap();
    Hall { absent: vec![], ..hall }.completes();
}

/// Who has another plan in hands than the one at the appliance stops it, and that is on record.
#[test]
fn a_check_value_that_differs_stops_the_ceremony() {
    let mut hall = Hall::new(SHORT);
    hall.instead = vec![("Dũng: check value of the plan", "0123 4567 89ab cdef 0123 4567 89ab cdef".into())];
    assert!(hall.stops().contains("Find out which side"));
    let noted = hall.notes("differs");
    assert_eq!((noted.len(), &noted[0]["person"]), (3, &json!("Dũng")));
    assert_eq!(noted[0]["data"]["typed"], "0123456789abcdef0123456789abcdef");
    // What could be a secret that was typed at the wrong prompt is not written down.
    hall.instead = vec![("Dũng: check value of the plan", "đúng mật khẩu này".into())];
    hall.stops();
    assert!(!hall.journal().contains("mật khẩu"));
    // A custodian whose key was changed on its way is not named.
    hall.instead = vec![("Bình: check value of your key", "0123 4567 89ab cdef".into())];
    assert!(hall.stops().contains("your key"));
    assert_eq!(hall.site.does(&["status"])["quorum"], 0);
    hall.instead.clear();
    hall.completes();
    assert_eq!(hall.notes("differs").len(), 9);
    hall.verify();
}

/// R2: one of three draws no key and signs no minutes, and it goes on when a second one comes.
#[test]
fn too_few_custodians_wait_for_one_more() {
    let hall = Hall { absent: vec!["Bình", "Chi"], ..Hall::new(SHORT) };
    assert!(hall.stops().contains("1 of the 2 custodians"));
    assert!(hall.site.fails(&["backup", "key", "show"]).contains("E110"), "one voice is not enough");
    let hall = Hall { absent: vec!["Bình"], ..hall };
    hall.completes();
    // An is not asked again; Chi's voice and signature came on a medium.
    let approved = hall.notes("approved");
    assert_eq!((&approved[0]["person"], &approved[1]["person"]), (&json!("An"), &json!("Chi")));
    assert_eq!(hall.verify()["signed"], json!(["An", "Chi"]));
    let lone = Hall::new("[[step]]\nact = \"initialise\"\nlabel = \"x\"\n[[step]]\nact = \"custodians\"\n");
    let lone = Hall { absent: vec!["An", "Bình"], ..lone };
    assert!(lone.stops().contains("1 of the 2 custodians"));
    assert!(lone.verify_fails().contains("not at its end"));
    let lone = Hall { absent: vec!["Bình"], ..lone };
    lone.completes();
    assert_eq!(lone.verify()["signed"], json!(["An", "Chi"]));
}

/// R2: what custodians reject is not done, and is on record.
#[test]
fn what_is_rejected_is_not_done() {
    let mut hall = Hall::new(SHORT);
    hall.instead = vec![("An: type \"approve\"", "reject".into()), ("Bình: type \"approve\"", "reject".into())];
    assert!(hall.stops().contains("rejected"));
    assert!(hall.site.fails(&["backup", "key", "show"]).contains("E110"));
    assert_eq!(hall.notes("rejected").len(), 2);
    hall.instead.clear();
    hall.completes();
    assert_eq!((hall.notes("approved").len(), hall.notes("proposed").len()), (2, 2));
}

/// R2: what comes back on a medium with another's signature is named, and is nobody's voice; the right one is taken.
#[test]
fn what_comes_back_on_a_medium_is_checked() {
    let mut hall = Hall { absent: vec!["An"], key_elsewhere: "an.key", ..Hall::new(SHORT) };
    let said = hall.stops();
    assert!(said.contains("the answer of Chi") && said.contains("not signed with this custodian's key"), "{said}");
    assert_eq!((hall.notes("approved").len(), hall.notes("signed").len()), (1, 0));
    hall.key_elsewhere = "chi.key";
    hall.run_until(|line| line.starts_with("coloa ceremony 1"));
    hall.key_elsewhere = "an.key";
    assert!(hall.stops().contains("the answer of Chi"));
    assert_eq!(hall.notes("signed").len(), 1);
    // An answer to something else.
    hall.key_elsewhere = "chi.key";
    let statement = fs::read_to_string(hall.site.path("medium/statement.txt")).unwrap();
    fs::write(hall.site.path("other.txt"), statement.replace("Hà Nội", "Huế")).unwrap();
    let sign = ["ceremony", "sign", "other.txt", "--confirm", "sign", "--key", "chi.key", "--passphrase-file", "pass"];
    hall.site.does(&[&sign[..], &["--out", "other.sig"]].concat());
    fs::write(hall.site.path("other.txt"), "coloa quorum 1\n").unwrap();
    assert!(hall.site.fails(&[&sign[..], &["--out", "x.sig"]].concat()).contains("no statement of a ceremony"));
    assert!(!hall.site.path("x.sig").exists());
    fs::write(hall.site.path("other.txt"), &statement).unwrap();
    assert!(hall.site.fails(&[&sign[..], &["--out", "other.sig"]].concat()).contains("other.sig"), "it is kept");
    hall.instead = vec![("Type \"back\"", "back".into())];
    fs::copy(hall.site.path("other.sig"), hall.site.path("medium/statement.sig")).unwrap();
    assert!(hall.stops().contains("not signed with this custodian's key"));
    hall.instead.clear();
    hall.completes();
    assert_eq!(hall.verify()["signed"], json!(["Bình", "Chi"]));
}

/// R3: a share that is altered, another's, or of another key is named with its holder, recorded, and not taken.
#[test]
fn a_wrong_share_is_named_and_not_taken() {
    let steps = format!("{SHORT}[[step]]\nact = \"backup\"\nout = \"first.bak\"\n[[step]]\nact = \"check-shares\"\n");
    let hall = Hall::new(&steps);
    let share = hall.site.path("binh/share-2.txt");
    let (killed, _) = hall.run_until(|line| line.contains("check the shares"));
    assert!(!killed);
    let right = fs::read_to_string(&share).unwrap();
    let other = Hall::new(SHORT);
    other.completes();
    let foreign = fs::read_to_string(other.site.path("binh/share-2.txt")).unwrap();
    let swapped = fs::read_to_string(hall.site.path("an/share-1.txt")).unwrap();
    let at = right.find("\n 2  ").unwrap() + 6;
    let slip = format!("{}{}{}", &right[..at], if &right[at..=at] == "7" { "8" } else { "7" }, &right[at + 1..]);
    for (text, says) in [(foreign, "belongs to another key"), (swapped, "the share of An"), (slip, "line 2")] {
        fs::write(&share, text).unwrap();
        let said = hall.stops();
        assert!(said.contains(says) && said.contains("the answer of Bình"), "{said}");
        assert!(hall.notes("share-wrong").last().unwrap()["data"]["why"].as_str().unwrap().contains(says));
    }
    assert_eq!(hall.notes("share-right").iter().filter(|r| r["person"] == "Bình").count(), 0);
    fs::write(&share, right).unwrap();
    hall.completes();
    assert_eq!((hall.notes("share-wrong").len(), hall.notes("share-right").len()), (9, 3));
}

/// R2: a device with other custodians, a key from elsewhere, or another device is not taken for what was meant.
#[test]
fn nothing_weaker_is_taken_for_what_was_meant() {
    // Initialised before.
    let hall = Hall::at(Site::operational(), SHORT);
    assert!(hall.stops().contains("initialised already"));
    assert_eq!((hall.notes("begins").len(), hall.notes("failed").len()), (0, 1));
    // Custodians that somebody else named while it was interrupted: the same people, a weaker quorum would do.
    let hall = Hall::new(SHORT);
    hall.run_until(|line| line.contains("An: check value of your key"));
    let set =
        ["custodian", "set", "--threshold", "2", "--custodian", "An=an.key.pub", "--custodian", "Bình=binh.key.pub"];
    hall.site.does(&set);
    assert!(hall.stops().contains("does not go on with a weaker one"));
    // A key that was drawn before there were custodians.
    let hall = Hall::new(SHORT);
    hall.run_until(|line| line.contains("An: check value of your key"));
    let holders = ["--holder", "An", "--holder", "Bình", "--holder", "Chi", "--out-dir", "mine"];
    hall.site.does(&[&["backup", "key", "create", "--threshold", "2"][..], &holders].concat());
    assert!(hall.stops().contains("a second one is not drawn"));
    // Another device at the socket.
    let mut hall = Hall { absent: vec!["An", "Bình"], ..Hall::new(SHORT) };
    hall.stops();
    let other = Site::operational();
    hall.socket = Some(other.path("coload.sock"));
    assert!(hall.stops().contains("and the ceremony is device"));
}

/// What was written is what is read: every later change of the folder is found, without the appliance.
#[test]
fn an_edited_folder_is_refused() {
    let hall = Hall::new(STEPS);
    hall.completes();
    let journal = hall.journal();
    let with = |name: &str, text: &[u8]| {
        let before = fs::read(hall.path(name)).unwrap();
        fs::write(hall.path(name), text).unwrap();
        let said = hall.verify_fails();
        let printed = hall.site.run(&["ceremony", "minutes", "lễ"]);
        let draft = String::from_utf8_lossy(&printed.stdout).contains("this is a draft");
        assert!(!printed.status.success() || draft, "minutes are made of {name} as it was changed");
        fs::write(hall.path(name), before).unwrap();
        said
    };
    let said = with("journal.jsonl", journal.replacen("00123", "00124", 1).as_bytes());
    assert!(said.contains("the journal was edited there"), "{said}");
    let cut: String = journal.lines().take(20).map(|line| format!("{line}\n")).collect();
    assert!(with("journal.jsonl", cut.as_bytes()).contains("not at its end"));
    assert!(with("journal.jsonl", &journal.as_bytes()[..journal.len() - 1]).contains("not at its end"));
    // The last record, which nothing follows, says what the device signed.
    let number = journal.lines().last().unwrap().replace("\"audit\":\"", "\"audit\":\"0");
    let forged: String = journal.lines().take(journal.lines().count() - 1).map(|line| format!("{line}\n")).collect();
    assert!(with("journal.jsonl", format!("{forged}{number}\n").as_bytes()).contains("device's log"));
    let statement = fs::read_to_string(hall.path("statement.txt")).unwrap();
    assert!(with("statement.txt", statement.replace("Hà Nội", "Huế").as_bytes()).contains("statement"));
    let mut audit = fs::read(hall.path("audit.cbor")).unwrap();
    let at = audit.len() - 10;
    audit[at] ^= 1;
    assert!(with("audit.cbor", &audit).contains("device's log"));
    hall.verify();
    // Another device's certificate does not vouch for it.
    let other = Site::operational();
    other.does(&["audit", "certificates", "--out", "other"]);
    fs::copy(other.path("other-device.pem"), hall.site.path("other.pem")).unwrap();
    let trusted = ["ceremony", "verify", "lễ", "--device-certificate", "other.pem"];
    assert!(hall.site.fails(&trusted).contains("not signed by this device"));
}

/// What is missing is said before there is a folder; what is there is kept.
#[test]
fn a_ceremony_that_cannot_be_held_is_not_begun() {
    let hall = Hall::new(SHORT);
    assert!(hall.site.fails(&["ceremony", "new", "--plan", "plan.toml", "--dir", "lễ"]).contains("exists"));
    fs::write(hall.site.path("other.toml"), plan(SHORT).replace("../an.key.pub", "../nowhere.pub")).unwrap();
    assert!(hall.site.fails(&["ceremony", "new", "--plan", "other.toml", "--dir", "x"]).contains("nowhere.pub"));
    assert!(!hall.site.path("x").exists());
    fs::write(hall.site.path("other.toml"), plan(SHORT).replace("quorum = 2", "quorum = 1")).unwrap();
    assert!(hall.site.fails(&["ceremony", "plan", "other.toml"]).contains("no quorum"));
    assert!(hall.site.fails(&["--lang", "vi", "ceremony", "plan", "other.toml"]).contains("không dùng được kế hoạch"));
    let example = hall.site.run(&["ceremony", "plan", "--example"]);
    fs::write(hall.site.path("example.toml"), example.stdout).unwrap();
    assert_eq!(hall.site.does(&["ceremony", "plan", "example.toml"])["quorum"], 2);
    // Nobody answers: it is interrupted, not done.
    assert!(hall.site.fails(&["ceremony", "run", "lễ"]).contains("nobody answers"));
    assert_eq!(hall.site.does(&["status"])["lifecycle"], "manufactured");
    // One at a time.
    let mut first = hall.spawn();
    let mut said = BufReader::new(first.stderr.take().unwrap());
    said.read_line(&mut String::new()).unwrap();
    assert!(hall.site.fails(&["ceremony", "run", "lễ"]).contains("somebody else runs this ceremony"));
    first.kill().unwrap();
    first.wait().unwrap();
    hall.completes();
}

/// On a device in service: its own custodians approve that a partition is destroyed, by the partition's id.
#[test]
fn a_later_ceremony_destroys_a_partition_by_a_quorum() {
    let hall = Hall::new(SHORT);
    hall.completes();
    for label in ["court", "tax"] {
        hall.site.create(label);
    }
    let steps = "[[step]]\nact = \"destroy-partition\"\npartition = \"court\"\nreason = \"the organ is closed\"\n";
    fs::write(hall.site.path("plan.toml"), plan(steps)).unwrap();
    fs::rename(hall.path(""), hall.site.path("first")).unwrap();
    hall.site.does(&["ceremony", "new", "--plan", "plan.toml", "--dir", "lễ"]);
    hall.completes();
    let listed = hall.site.does(&["partition", "list"]);
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["label"]), (1, &json!("tax")));
    assert_eq!(hall.notes("approved").len(), 2);
    let verified = hall.verify();
    assert_eq!(verified["serial"], hall.site.does(&["status"])["serial"]);
    // The first one's folder does not pass for the second's.
    fs::copy(hall.site.path("first/audit.cbor"), hall.path("audit.cbor")).unwrap();
    assert!(hall.verify_fails().contains("device's log"));
}

/// R2, R3, R20: the second device comes up from the first one's archive with the shares of a quorum, and is governed by the same
/// custodians; the witness compares with the first minutes.
#[test]
fn a_second_device_is_restored_with_a_quorum_of_shares() {
    let first = Hall::new(STEPS);
    first.completes();
    let made = first.site.does(&["backup", "show", "lễ/first.bak"]);
    let site = Site::new();
    for folder in ["an", "binh", "medium"] {
        fs::create_dir(site.path(folder)).unwrap();
    }
    let carried = ["pass", "an.key", "an.key.pub", "binh.key", "binh.key.pub", "chi.key", "chi.key.pub"];
    let shares = ["an/share-1.txt", "binh/share-2.txt", "medium/share-3.txt", "lễ/first.bak"];
    for name in carried.into_iter().chain(shares) {
        fs::copy(first.site.path(name), site.path(name.trim_start_matches("lễ/"))).unwrap();
    }
    let steps = "[[step]]\nact = \"initialise\"\nlabel = \"court-hsm-2\"\n\
                 [[step]]\nact = \"restore\"\narchives = [\"../first.bak\"]\nby = \"Dũng\"\n";
    // The same custodians, An named last.
    let text = plan(steps);
    let (an, rest) =
        (text.find("[[participant]]\nname = \"An\"").unwrap(), text.find("[[participant]]\nname = \"B").unwrap());
    let acts = text.find("[[step]]").unwrap();
    let text = [&text[..an], &text[rest..acts], &text[an..rest], &text[acts..]].concat();
    fs::write(site.path("plan.toml"), text).unwrap();
    site.does(&["ceremony", "new", "--plan", "plan.toml", "--dir", "lễ"]);
    let check = made["check"].as_str().unwrap().to_owned();
    let instead = vec![("Dũng: check value of the archive", check)];
    let mut hall = Hall { absent: vec!["Bình", "Chi"], instead, ..Hall::with(site) };
    assert!(hall.stops().contains("1 of the 2 custodians"));
    assert_eq!(hall.site.does(&["partition", "list"]), json!([]));
    // An altered share is named before the device has it.
    let share = hall.site.path("binh/share-2.txt");
    let right = fs::read_to_string(&share).unwrap();
    fs::copy(hall.site.path("an/share-1.txt"), &share).unwrap();
    hall.absent = vec!["Chi"];
    assert!(hall.stops().contains("the answer of Bình"));
    fs::write(&share, right).unwrap();
    // It is restored, and `coloa` never hears of it: no share is asked for again.
    let mut heard = false;
    let between = Between::new(&hall, move |code| {
        let lost = code == CommandCode::BackupRestoreFinish as u16 && !heard;
        heard |= lost;
        !lost
    });
    hall.socket = Some(between.path);
    assert!(hall.stops().contains("closed the connection"));
    let shown = hall.notes("share-right").len();
    hall.completes();
    assert_eq!(hall.notes("share-right").len(), shown);
    assert_eq!(hall.site.does(&["partition", "list"])[0]["label"], "court");
    assert_eq!(hall.site.does(&["status"])["custodians"], json!(["An", "Bình", "Chi"]));
    assert_eq!(hall.verify()["signed"], json!(["Bình", "An"]));
    let done = hall.notes("done");
    assert_eq!((&done[1]["data"]["check"], &done[1]["data"]["partitions"]), (&made["check"], &json!(["court"])));
}
