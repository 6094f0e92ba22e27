//! R32: two sites come up from a table: packages made, opened once on their boxes, a link that carries, receipts back. With keys
//! drawn in one kind of token and taken into another: any two that wrap by RFC 5649 understand each other.

#![forbid(unsafe_code)]

use coloa_hil_tests::background::{Background, until};
use coloa_hil_tests::body::{Embedded, SoftHsm};
use coloa_hil_tests::built;
use coloa_hil_tests::network::{Namespace, wire};
use coloa_hil_tests::target::{LABEL, Target, USER_PIN};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

const CREATE: &str = "package create --dir issuing --pin-file pin --signer packages.pem --signer-label packages \
                      --policy-authority policy.pem --csv sites.csv --batch b1 --out out --letters letters";
const NAMES: [&str; 2] = ["site-a", "site-b"];

/// An authority with packages for two sites, and where their networks are.
struct Desk {
    dir: tempfile::TempDir,
    authority: Box<dyn Target>,
    red: [Namespace; 2],
    _black: [Namespace; 2],
}

impl Desk {
    fn found(what: &str, authority: Box<dyn Target>) -> Self {
        built::build(&["coloa-linkd", "coloa-pki", "coloa-pkcs11"]).unwrap();
        let space = |side: &str| Namespace::make(&format!("clt{}-{what}-{side}", std::process::id())).unwrap();
        let (red, black) = ([space("ra"), space("rb")], [space("ba"), space("bb")]);
        wire((&black[0], "192.0.2.1/24"), (&black[1], "192.0.2.2/24"), "wire0").unwrap();
        let desk = Self { dir: tempfile::tempdir().unwrap(), authority, red, _black: black };
        std::fs::write(desk.path("pin"), USER_PIN).unwrap();
        desk.pki(&format!("init-root --dir root {} --label root --subject CN=Root,C=VN", desk.key()));
        let from = "--root-dir root --root-pin-file pin --subject CN=Issuing,C=VN";
        desk.pki(&format!("init-issuing --dir issuing {} --label issuing {from}", desk.key()));
        for (label, profile) in [("packages", "package-signer"), ("policy", "policy-signer")] {
            desk.pki(&format!("device-key {} --label {label} --subject CN={label},C=VN --out {label}.csr", desk.key()));
            let issue = "issue --dir issuing --pin-file pin --with-chain";
            desk.pki(&format!("{issue} --profile {profile} --csr {label}.csr --out {label}.pem"));
        }
        let line = |n: usize| {
            let (red, black) = (desk.red[n].name(), desk._black[n].name());
            let (own, other, far) = (n + 1, 2 - n, NAMES[1 - n]);
            format!("{},Court,10.{own}.0.1/8,192.0.2.{own}:4500,{far}@192.0.2.{other}:4500,{red},{black}\n", NAMES[n])
        };
        let header = "site,organ,red,black,peers,red-namespace,black-namespace\n";
        std::fs::write(desk.path("sites.csv"), format!("{header}{}{}", line(0), line(1))).unwrap();
        desk.pki(CREATE);
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn key(&self) -> String {
        format!("--module {} --token {LABEL} --pin-file pin", self.authority.module().display())
    }

    fn run(&self, program: &str, words: &str, environment: &dyn Target) -> Output {
        let mut c = Command::new(built::program(program).unwrap());
        c.args(words.split_whitespace()).envs(environment.environment()).current_dir(self.dir.path());
        c.output().unwrap()
    }

    fn pki(&self, words: &str) {
        let out = self.run("coloa-pki", words, &*self.authority);
        assert!(out.status.success(), "coloa-pki {words}: {}", String::from_utf8_lossy(&out.stderr));
    }

    /// The policy follows the packages: it names keys that were drawn with them.
    fn sign_policy(&self) {
        let mut text = String::from("serial = 1\n");
        for (n, name) in NAMES.iter().enumerate() {
            let out = self.run("coloa-linkd", &format!("identity out/{name}.pem"), &*self.authority);
            let identity = String::from_utf8(out.stdout).unwrap();
            let red = format!("[\"10.{}.0.0/16\"]", n + 1);
            text += &format!("[[site]]\nname = \"{name}\"\nidentity = \"{}\"\nred = {red}\n", identity.trim());
        }
        text += "[[link]]\nbetween = [\"site-a\", \"site-b\"]\n";
        std::fs::write(self.path("policy.toml"), text).unwrap();
        let files = "--certificate policy.pem --input policy.toml --output policy.bundle";
        let signed = format!("policy sign {} --key policy {files}", self.key());
        let out = self.run("coloa-linkd", &signed, &*self.authority);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }

    /// The code, as the clerk reads it in the letter.
    fn code(&self, site: &str) -> String {
        let letter = std::fs::read_to_string(self.path(&format!("letters/{site}.txt"))).unwrap();
        let line = letter.lines().skip_while(|l| !l.contains("Activation code:")).find(|l| l.starts_with("        "));
        line.unwrap().trim().to_owned()
    }

    fn join(&self, site: &str, code: &str, token: &dyn Target, package: &Path) -> Output {
        self.join_words(site, code, token, package).output().unwrap()
    }

    fn join_words(&self, site: &str, code: &str, token: &dyn Target, package: &Path) -> Command {
        std::fs::write(self.path(&format!("{site}.code")), code).unwrap();
        let place = format!("--folder box-{site}/link --state-dir box-{site}/state --status-socket {site}.sock");
        let words = format!("join {} --trust root/ca.pem {place} --pin-file pin", package.display());
        let mut c = Command::new(built::program("coloa-linkd").unwrap());
        c.args(words.split_whitespace()).envs(token.environment()).current_dir(self.dir.path());
        c.args(["--token", LABEL, "--device", site, "--code-file", &format!("{site}.code"), "--module"]);
        c.arg(token.module());
        c
    }

    fn package(&self, site: &str) -> PathBuf {
        self.path(&format!("out/{site}.coloapkg"))
    }
}

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&[out.stdout.as_slice(), &out.stderr].concat()).into_owned()
}

/// From the table to traffic, and the receipts home.
fn onboard(what: &str, authority: Box<dyn Target>, boxes: [Box<dyn Target>; 2]) {
    let desk = Desk::found(what, authority);
    desk.sign_policy();
    let mut running = Vec::new();
    for (site, token) in NAMES.iter().zip(&boxes) {
        let joined = desk.join(site, &desk.code(site), &**token, &desk.package(site));
        assert!(joined.status.success(), "{site}: {}", said(&joined));
        let folder = format!("box-{site}/link");
        std::fs::copy(desk.path("policy.bundle"), desk.path(&folder).join("policy.bundle")).unwrap();
        let mut linkd = Command::new(built::program("coloa-linkd").unwrap());
        linkd.args(["run", "--config"]).arg(desk.path(&folder).join("link.toml")).envs(token.environment());
        running.push(Background::start(desk.dir.path(), site, &linkd).unwrap());
    }
    let log = |site: &str| std::fs::read_to_string(desk.path(&format!("{site}.log"))).unwrap_or_default();
    let up = until(Duration::from_secs(40), || desk.red[0].reaches("10.2.0.1"));
    assert!(up, "no traffic\n{}\n{}", log("site-a"), log("site-b"));
    running.iter().for_each(|daemon| daemon.stop().unwrap());
    for (site, token) in NAMES.iter().zip(&boxes) {
        desk.pki(&format!("package receive --dir issuing --pin-file pin box-{site}/link/receipt"));
        let again = desk.join(site, &desk.code(site), &**token, &desk.package(site));
        assert!(said(&again).contains("LINKD-33"), "opened twice: {}", said(&again));
    }
    let again =
        desk.run("coloa-pki", "package receive --dir issuing --pin-file pin box-site-a/link/receipt", &*desk.authority);
    assert!(said(&again).contains("PKI-605"), "a second receipt is an alarm: {}", said(&again));
}

#[test]
fn sites_with_our_token_come_up_from_packages_of_an_authority_with_softhsm() {
    built::build(&["coloa-pkcs11"]).unwrap();
    let boxes: [Box<dyn Target>; 2] = [Box::new(Embedded::start().unwrap()), Box::new(Embedded::start().unwrap())];
    onboard("o", Box::new(SoftHsm::start().unwrap()), boxes);
}

#[test]
fn sites_with_softhsm_come_up_from_packages_of_an_authority_with_our_token() {
    built::build(&["coloa-pkcs11"]).unwrap();
    let boxes: [Box<dyn Target>; 2] = [Box::new(SoftHsm::start().unwrap()), Box::new(SoftHsm::start().unwrap())];
    onboard("s", Box::new(Embedded::start().unwrap()), boxes);
}

/// Changed anywhere, for another box, with another site's code: refused, and then the right code still opens it.
#[test]
fn what_is_not_the_authoritys_is_refused_before_the_code() {
    let desk = Desk::found("r", Box::new(SoftHsm::start().unwrap()));
    let token = SoftHsm::start().unwrap();
    let whole = std::fs::read(desk.package("site-a")).unwrap();
    let changed = desk.path("changed.coloapkg");
    for at in (0..whole.len()).step_by(97).chain([whole.len() - 1]) {
        let mut octets = whole.clone();
        octets[at] ^= 1;
        std::fs::write(&changed, octets).unwrap();
        let out = desk.join("site-a", &desk.code("site-a"), &token, &changed);
        assert!(said(&out).contains("LINKD-30"), "octet {at}: {}", said(&out));
    }
    let mut other = desk.join_words("site-a", &desk.code("site-a"), &token, &desk.package("site-a"));
    assert!(said(&other.args(["--site", "site-b"]).output().unwrap()).contains("LINKD-38"));
    let slip = desk.join("site-a", "7K2M", &token, &desk.package("site-a"));
    assert!(said(&slip).contains("LINKD-34"), "{}", said(&slip));
    let wrong = desk.join("site-a", &desk.code("site-b"), &token, &desk.package("site-a"));
    assert!(said(&wrong).contains("LINKD-35") && said(&wrong).contains("9 tries"), "{}", said(&wrong));
    assert!(!desk.path("box-site-a/link").exists());
    std::thread::sleep(Duration::from_millis(2100));
    let right = desk.join("site-a", &desk.code("site-a"), &token, &desk.package("site-a"));
    assert!(right.status.success(), "{}", said(&right));
    let refused = std::fs::read_to_string(desk.path("box-site-a/state/join/refused")).unwrap();
    assert!(refused.contains("LINKD-38") && refused.contains("LINKD-35"), "{refused}");
}

/// Killed at many moments: the folder is there whole or not at all, and the next attempt joins or says that it was done.
#[test]
fn a_join_that_is_cut_short_is_whole_or_nothing() {
    let desk = Desk::found("k", Box::new(SoftHsm::start().unwrap()));
    let token = SoftHsm::start().unwrap();
    let (folder, mut cuts) = (desk.path("box-site-a/link"), 0);
    for wait in (0..).map(|n| 2 + 7 * n) {
        let mut child =
            desk.join_words("site-a", &desk.code("site-a"), &token, &desk.package("site-a")).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        child.kill().unwrap();
        child.wait().unwrap();
        if folder.exists() {
            break;
        }
        cuts += 1;
        // a cut counts as a wrong code until it is known to be right; here the wait for it is over
        std::fs::read_dir(desk.path("box-site-a/state/join")).into_iter().flatten().flatten().for_each(|file| {
            if file.path().extension().is_some_and(|e| e == "tries") {
                std::fs::remove_file(file.path()).unwrap();
            }
        });
        assert!(wait < 5000, "it never joined");
    }
    assert!(cuts > 2, "only {cuts} cuts");
    for name in ["link.toml", "device.pem", "roots.pem", "authority.pem", "receipt"] {
        assert!(folder.join(name).exists(), "{name}");
    }
    let again = desk.join("site-a", &desk.code("site-a"), &token, &desk.package("site-a"));
    assert!(said(&again).contains("LINKD-33"), "{}", said(&again));
    desk.pki("package receive --dir issuing --pin-file pin box-site-a/link/receipt");
}
