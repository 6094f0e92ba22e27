//! The hall of a ceremony: a real `coload`, a plan, custodians with their keys, and people who answer what they are asked.
#![allow(dead_code, reason = "each test binary uses its part")]

pub mod between;

use crate::site::Site;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};

pub const PEOPLE: &str = "\
[[participant]]
name = \"Hoa\"
role = \"operator\"
[[participant]]
name = \"Dũng\"
role = \"witness\"
[[participant]]
name = \"An\"
role = \"custodian\"
public = \"../an.key.pub\"
key = \"../an.key\"
passphrase-file = \"../pass\"
share = \"../an\"
[[participant]]
name = \"Bình\"
role = \"custodian\"
public = \"../binh.key.pub\"
key = \"../binh.key\"
passphrase-file = \"../pass\"
share = \"../binh\"
[[participant]]
name = \"Chi\"
role = \"custodian\"
public = \"../chi.key.pub\"
medium = \"../medium\"
share = \"../medium\"
";

pub const STEPS: &str = "\
[[step]]
act = \"initialise\"
label = \"court-hsm-1\"
[[step]]
act = \"observe\"
by = \"Dũng\"
says = \"The seals are whole\"
answer = true
[[step]]
act = \"custodians\"
[[step]]
act = \"certificates\"
by = \"Dũng\"
[[step]]
act = \"backup-key\"
[[step]]
act = \"partition\"
label = \"court\"
so-pin-file = \"../so.pin\"
user-pin-file = \"../user.pin\"
[[step]]
act = \"backup\"
out = \"first.bak\"
[[step]]
act = \"check-shares\"
[[step]]
act = \"checkpoint\"
out = \"log.seal\"
";

/// A plan with these steps.
pub fn plan(steps: &str) -> String {
    format!("title = \"Key ceremony <1>\"\nplace = \"Hà Nội\"\nquorum = 2\n{PEOPLE}{steps}")
}

pub struct Hall {
    pub site: Site,
    /// Who says nothing but "absent".
    pub absent: Vec<&'static str>,
    /// Beginning of a question, and what is answered to it instead.
    pub instead: Vec<(&'static str, String)>,
    /// The key that signs what comes to Chi's machine.
    pub key_elsewhere: &'static str,
    /// The socket that is given to `coloa`.
    pub socket: Option<PathBuf>,
}

impl Hall {
    /// A new device and a ceremony with these steps, not begun.
    pub fn new(steps: &str) -> Hall {
        Hall::at(Site::new(), steps)
    }

    pub fn at(site: Site, steps: &str) -> Hall {
        fs::write(site.path("pass"), "đúng mật khẩu này\n").unwrap();
        for (name, folder) in [("an", "an"), ("binh", "binh"), ("chi", "medium")] {
            fs::create_dir_all(site.path(folder)).unwrap();
            site.does(&["custodian", "new", "--out", &format!("{name}.key"), "--passphrase-file", "pass"]);
        }
        fs::write(site.path("plan.toml"), plan(steps)).unwrap();
        let hall = Hall::with(site);
        hall.site.does(&["ceremony", "new", "--plan", "plan.toml", "--dir", "lễ"]);
        hall
    }

    /// Where the ceremony's folder is there already, or comes later.
    pub fn with(site: Site) -> Hall {
        Hall { site, absent: vec![], instead: vec![], key_elsewhere: "chi.key", socket: None }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.site.path("lễ").join(name)
    }

    pub fn spawn(&self) -> Child {
        let mut coloa = Command::new(env!("CARGO_BIN_EXE_coloa"));
        coloa.args(["ceremony", "run", "lễ"]).current_dir(self.site.dir.path()).env("LC_ALL", "C");
        let socket = self.socket.clone().unwrap_or_else(|| self.site.path("coload.sock"));
        coloa.env("COLOA_ADMIN_SOCKET", socket).env("SOFTHSM2_CONF", self.site.path("softhsm2.conf"));
        coloa.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs it, and answers as people do; whether it succeeded, and all that was said.
    pub fn run(&self) -> (bool, String) {
        self.run_until(|_| false)
    }

    /// The same; killed with SIGKILL at the first line that is meant.
    pub fn run_until(&self, is_meant: impl Fn(&str) -> bool) -> (bool, String) {
        let mut child = self.spawn();
        let mut stdin = child.stdin.take().unwrap();
        let (mut said, mut asked) = (String::new(), String::new());
        for line in BufReader::new(child.stderr.take().unwrap()).lines() {
            let line = line.unwrap();
            said.push_str(&line);
            said.push('\n');
            if is_meant(&line) {
                child.kill().unwrap();
            }
            self.answer(&line, &mut asked, &mut stdin);
        }
        let out = child.wait_with_output().unwrap();
        said.push_str(&String::from_utf8_lossy(&out.stdout));
        (out.status.success(), said)
    }

    /// Goes through to the end.
    pub fn completes(&self) -> String {
        let (success, said) = self.run();
        assert!(success, "{said}");
        said
    }

    /// Stops with an error.
    pub fn stops(&self) -> String {
        let (success, said) = self.run();
        assert!(!success, "{said}");
        said
    }

    /// `asked` is what is to be signed elsewhere.
    pub fn answer(&self, line: &str, asked: &mut String, stdin: &mut ChildStdin) {
        if line.contains("coloa quorum sign") || line.contains("coloa ceremony sign") {
            *asked = line.trim().to_owned();
        }
        if line.starts_with("The share is not on it") {
            *asked = "lost".into();
        }
        let Some(word) = self.word(line, asked) else { return };
        // It may have been killed.
        let _ = writeln!(stdin, "{word}");
    }

    fn word(&self, line: &str, asked: &str) -> Option<String> {
        if let Some((_, word)) = self.instead.iter().find(|(start, _)| line.starts_with(start)) {
            return Some(word.clone());
        }
        let person = line.split([':', ' ']).next().unwrap_or_default();
        let person = if line.starts_with("Type \"back\"") { "Chi" } else { person };
        if line.contains("\"absent\"") && self.absent.contains(&person) {
            return Some("absent".into());
        }
        if line.contains("type what the other side shows") {
            return Some(self.other_side(line, person));
        }
        if line.starts_with("Type \"back\"") {
            self.sign_elsewhere(asked);
            return Some("back".into());
        }
        if line.contains("left the appliance") && asked == "lost" {
            return Some("lost".into());
        }
        let words = ["approve", "sign", "ready", "lost", "done"];
        let quoted = words.into_iter().find(|word| line.contains(&format!("ype \"{word}\"")));
        let quoted = quoted.or(line.contains("types \"ready\"").then_some("ready"));
        let quoted = quoted.or(line.contains("\"lost\" if not").then_some("lost"));
        let seen = line.contains("Type what you see").then(|| "00123, 00124".to_owned());
        seen.or(quoted.map(str::to_owned))
    }

    /// What another machine, or a paper, shows.
    fn other_side(&self, line: &str, person: &str) -> String {
        let check = |document: Value| document["check_value"].as_str().unwrap().to_owned();
        if line.contains("the plan") {
            return check(self.site.does(&["ceremony", "plan", "plan.toml"]));
        }
        if line.contains("your key") {
            let file = match person {
                "An" => "an.key.pub",
                "Bình" => "binh.key.pub",
                _ => "chi.key.pub",
            };
            return self.sha256(&format!("openssl pkey -pubin -in {file} -outform DER | tail -c 97 | sha256sum"));
        }
        if line.contains("certificate") {
            return self.sha256("openssl x509 -in lễ/device.pem -outform DER | sha256sum");
        }
        let (folder, number) = match person {
            "An" => ("an", 1),
            "Bình" => ("binh", 2),
            _ => ("medium", 3),
        };
        let share = fs::read_to_string(self.site.path(folder).join(format!("share-{number}.txt"))).unwrap();
        share.split("check value ").nth(1).unwrap().lines().next().unwrap().to_owned()
    }

    fn sha256(&self, words: &str) -> String {
        let out = Command::new("sh").args(["-c", words]).current_dir(self.site.dir.path()).output().unwrap();
        String::from_utf8(out.stdout).unwrap()[..16].to_owned()
    }

    /// Chi's machine: what came on the medium is signed there, and goes back on it.
    fn sign_elsewhere(&self, asked: &str) {
        let words: Vec<&str> = asked.split(' ').collect();
        let file = |name: &str| format!("medium/{name}");
        let at = words.iter().position(|w| *w == "--out").unwrap();
        let (text, back) = (file(words[3]), file(words[at + 1]));
        let _ = fs::remove_file(self.site.path(&back));
        let key = ["--key", self.key_elsewhere, "--passphrase-file", "pass", "--out", &back];
        let nowhere = ["--socket", "nowhere.sock"];
        match words[1] {
            "quorum" => {
                let sign = ["quorum", "sign", &text, "--custodian", "Chi", "--confirm", "approve"];
                self.site.does(&[&nowhere[..], &sign, &key].concat());
            }
            _ => {
                let sign = ["ceremony", "sign", &text, "--confirm", "sign"];
                self.site.does(&[&nowhere[..], &sign, &key].concat());
            }
        }
    }

    pub fn journal(&self) -> String {
        fs::read_to_string(self.path("journal.jsonl")).unwrap()
    }

    /// The records of this kind.
    pub fn notes(&self, kind: &str) -> Vec<Value> {
        let journal = self.journal();
        let records = journal.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        records.filter(|r| r["what"] == kind || r["data"]["kind"] == kind).collect()
    }

    pub fn openssl(&self, words: &[&str]) -> Output {
        Command::new("openssl").args(words).current_dir(self.path("")).output().unwrap()
    }

    pub fn verify(&self) -> Value {
        self.site.does(&["--socket", "nowhere.sock", "ceremony", "verify", "lễ"])
    }

    pub fn verify_fails(&self) -> String {
        self.site.fails(&["--socket", "nowhere.sock", "ceremony", "verify", "lễ"])
    }
}

/// Every file below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect()
}
