//! A test authority made with OpenSSL, and tokens of SoftHSM2 that hold the keys.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::network::{good, run};

pub const LINKD: &str = env!("CARGO_BIN_EXE_coloa-linkd");
pub const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
/// The extended key usage of a certificate that signs link policy.
const POLICY_SIGNING: &str = "2.25.152171363938579942698067219498457522657";
const PIN: &str = "1234";

/// A folder with an authority, tokens, certificates and policies.
pub struct Authority {
    folder: tempfile::TempDir,
}

/// How a certificate differs from a good one.
#[derive(Clone, Copy, PartialEq)]
pub enum Flaw {
    None,
    /// Its validity is over.
    Expired,
    /// Its validity is to come.
    Early,
    /// Another authority of the same name issued it.
    Foreign,
}

impl Authority {
    /// With devices a and b, the policy authority, and a policy of serial 5 that grants their link.
    pub fn make() -> Self {
        let authority = Self { folder: tempfile::tempdir().expect("folder") };
        authority.write("pin", PIN);
        authority.new_ca("root", None);
        authority.new_ca("ca", Some("root"));
        for name in ["a", "b", "policy"] {
            authority.issue(name, Flaw::None);
        }
        authority.sign_policy(5, &["a", "b"], "[[link]]\nbetween = [\"a\", \"b\"]\n");
        authority
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn text_path(&self, name: &str) -> String {
        self.path(name).to_str().expect("utf-8").to_owned()
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("write");
    }

    fn openssl(&self, line: &str) {
        let command = format!("cd {} && openssl {line}", self.folder.path().display());
        good("bash", &["-c", &command]);
    }

    /// A root, or an authority that `parent` certifies.
    fn new_ca(&self, name: &str, parent: Option<&str>) {
        let subject = if parent.is_some() { "/CN=test ca" } else { "/CN=test root" };
        let self_signed = if parent.is_some() { "" } else { "-x509 -days 30" };
        let out = if parent.is_some() { "csr" } else { "pem" };
        self.openssl(&format!(
            "req {self_signed} -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout {name}.key -out {name}.{out} -subj '{subject}'"
        ));
        self.ca_files(name);
        if let Some(parent) = parent {
            self.openssl(&format!(
                "ca -batch -notext -extensions authority -config {parent}.cnf -in {name}.csr -out {name}.pem"
            ));
        }
    }

    fn ca_files(&self, name: &str) {
        fs::create_dir(self.path(&format!("{name}.db"))).expect("db");
        self.write(&format!("{name}.db/index.txt"), "");
        self.write(&format!("{name}.db/crlnumber"), "01");
        self.write(&format!("{name}.db/serial"), "1000");
        let section = format!(
            "[ca]\ndefault_ca = d\n[d]\ndatabase = {name}.db/index.txt\ncrlnumber = {name}.db/crlnumber\n\
             serial = {name}.db/serial\nnew_certs_dir = {name}.db\nprivate_key = {name}.key\ncertificate = {name}.pem\n\
             default_md = sha384\ndefault_days = 30\ndefault_crl_days = 30\npolicy = p\nunique_subject = no\nutf8 = yes\n\
             x509_extensions = x\n[p]\ncommonName = supplied\norganizationName = optional\n\
             [x]\nbasicConstraints = CA:FALSE\nkeyUsage = critical,digitalSignature\n\
             extendedKeyUsage = serverAuth,clientAuth\n\
             subjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid\n\
             [authority]\nbasicConstraints = critical,CA:TRUE,pathlen:0\nkeyUsage = critical,keyCertSign,cRLSign\n\
             subjectKeyIdentifier = hash\n\
             [policy]\nbasicConstraints = CA:FALSE\nkeyUsage = critical,digitalSignature\n\
             extendedKeyUsage = critical,{POLICY_SIGNING}\n"
        );
        self.write(&format!("{name}.cnf"), &section);
    }

    /// A key in a token of this name and a certificate for it.
    pub fn issue(&self, name: &str, flaw: Flaw) {
        self.issue_to(name, &format!("/CN={name}"), flaw);
    }

    /// The same for a device of an organ, named as certificates name it.
    pub fn issue_of(&self, name: &str, organ: &str) {
        self.issue_to(name, &format!("/O={organ}/CN={name}"), Flaw::None);
    }

    fn issue_to(&self, name: &str, subject: &str, flaw: Flaw) {
        // The policy authority has P-256, the devices P-384: both suites are in use.
        let curve = if name.starts_with("policy") { "P-256" } else { "P-384" };
        let request = format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:{curve} -nodes -keyout {name}.key -out {name}.csr -utf8 -subj '{subject}'"
        );
        self.openssl(&request);
        let ca = if flaw == Flaw::Foreign { "foreign" } else { "ca" };
        if flaw == Flaw::Foreign {
            self.new_ca("foreign-root", None);
            self.new_ca(ca, Some("foreign-root"));
        }
        let dates = match flaw {
            Flaw::Expired => "-startdate 20200101000000Z -enddate 20200201000000Z",
            Flaw::Early => "-startdate 20450101000000Z -enddate 20450201000000Z",
            Flaw::None | Flaw::Foreign => "",
        };
        let extensions = if name.starts_with("policy") { "-extensions policy" } else { "" };
        self.openssl(&format!(
            "ca -batch -notext {extensions} -config {ca}.cnf -in {name}.csr -out {name}.end {dates}"
        ));
        self.openssl(&format!("x509 -in {name}.end -out {name}.pem && cat {ca}.pem >> {name}.pem"));
        self.openssl(&format!("pkcs8 -topk8 -nocrypt -in {name}.key -out {name}.p8"));
        self.store(name);
    }

    /// Another certificate for the same key, valid for so many days.
    pub fn renew(&self, name: &str, days: u32) {
        self.openssl(&format!("ca -batch -notext -config ca.cnf -in {name}.csr -out {name}.again -days {days}"));
        self.openssl(&format!("x509 -in {name}.again -out {name}.new && cat ca.pem >> {name}.new"));
        fs::rename(self.path(&format!("{name}.new")), self.path(&format!("{name}.pem"))).expect("rename");
    }

    /// A token store of its own for each device, as on two machines.
    fn store(&self, name: &str) {
        let tokens = self.path(&format!("tokens-{name}"));
        let _ = fs::remove_dir_all(&tokens);
        fs::create_dir(&tokens).expect("tokens");
        let config =
            format!("directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n", tokens.display());
        self.write(&format!("softhsm-{name}.conf"), &config);
        let key = self.text_path(&format!("{name}.p8"));
        for words in [
            vec!["--init-token", "--free", "--label", name, "--pin", PIN, "--so-pin", "12345678"],
            vec!["--import", &key, "--token", name, "--label", "link", "--id", "01", "--pin", PIN],
        ] {
            let made =
                self.with_token(name, Command::new("softhsm2-util").args(words)).output().expect("softhsm2-util");
            assert!(made.status.success(), "softhsm2-util: {}", String::from_utf8_lossy(&made.stderr));
        }
    }

    /// The command, with the environment in which this token is found.
    pub fn with_token<'c>(&self, name: &str, command: &'c mut Command) -> &'c mut Command {
        command.env("SOFTHSM2_CONF", self.path(&format!("softhsm-{name}.conf")))
    }

    pub fn identity(&self, name: &str) -> String {
        good(LINKD, &["identity", &self.text_path(&format!("{name}.pem"))]).trim().to_owned()
    }

    /// Signs a policy with these sites; `rest` holds its links.
    pub fn sign_policy(&self, serial: u64, sites: &[&str], rest: &str) {
        self.sign_policy_as("policy", serial, sites, rest);
    }

    /// The same with the key of another device.
    pub fn sign_policy_as(&self, signer: &str, serial: u64, sites: &[&str], rest: &str) {
        let mut text = format!("serial = {serial}\n");
        for name in sites {
            let (second, identity) = (if *name == "a" { 1 } else { 2 }, self.identity(name));
            // and half of a network that both are in, for transparent sites
            let half = if *name == "a" { ["10.80.0.0/25", "fd80::/121"] } else { ["10.80.0.128/25", "fd80::80/121"] };
            let red = format!("[\"10.7{second}.0.0/24\", \"fd7{second}::/64\", \"{}\", \"{}\"]", half[0], half[1]);
            text += &format!("[[site]]\nname = \"{name}\"\nidentity = \"{identity}\"\nred = {red}\n");
        }
        self.sign_text(signer, &(text + rest));
    }

    /// Signs a policy as it is written.
    pub fn sign_text(&self, signer: &str, text: &str) {
        self.write("policy.toml", text);
        let mut command = Command::new(LINKD);
        command.current_dir(self.folder.path()).args(["policy", "sign", "--module", MODULE, "--token", signer]);
        command.args(["--key", "link", "--pin-file", "pin", "--certificate", &format!("{signer}.pem")]);
        command.args(["--input", "policy.toml", "--output", "policy.new"]);
        let signed = self.with_token(signer, &mut command).output().expect("linkd");
        assert!(signed.status.success(), "policy sign: {}", String::from_utf8_lossy(&signed.stderr));
        fs::rename(self.path("policy.new"), self.path("policy.bundle")).expect("rename");
    }

    /// A revocation list with these certificates in it.
    pub fn revoke(&self, names: &[&str]) {
        for name in names {
            self.openssl(&format!("ca -batch -config ca.cnf -revoke {name}.end"));
        }
        self.publish();
    }

    /// A revocation list with the certificate of this serial number, which need not be in the authority's records.
    pub fn revoke_serial(&self, serial: &[u8]) {
        let digits: String = serial.iter().map(|octet| format!("{octet:02X}")).collect();
        let records = self.path("ca.db/index.txt");
        let line = format!("R\t351231235959Z\t250101000000Z\t{digits}\tunknown\t/CN=revoked\n");
        let text = fs::read_to_string(&records).expect("records") + &line;
        fs::write(&records, text).expect("records");
        self.publish();
    }

    /// The authorities' lists, put in place at once.
    fn publish(&self) {
        self.publish_for("");
    }

    /// The same, of which the issuing authority's says nothing any more after so many seconds.
    pub fn publish_briefly(&self, seconds: u32) {
        self.publish_for(&format!("-crlsec {seconds}"));
    }

    fn publish_for(&self, lifetime: &str) {
        self.openssl(&format!("ca -batch -config ca.cnf -gencrl {lifetime} -out ca.crl"));
        self.openssl("ca -batch -config root.cnf -gencrl -out root.crl && cat ca.crl root.crl > crl.new");
        fs::rename(self.path("crl.new"), self.path("crl.pem")).expect("rename");
    }
}

/// The programs these tests need are there; a missing one fails the test that comes here first.
pub fn assert_programs() {
    for (program, word) in [("openssl", "version"), ("softhsm2-util", "--version"), ("tcpdump", "--version")] {
        assert!(run(program, &[word]).status.success(), "{program} does not work");
    }
}
