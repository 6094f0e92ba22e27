//! Two sites of a link, from nothing: an authority, device certificates with keys in tokens, a signed policy and the
//! daemons' configurations. It uses the product's own programs as an operator does.

use crate::background::Background;
use crate::built;
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where keys are made: one token behind a module.
#[derive(Clone)]
pub struct KeyPlace {
    /// The module.
    pub module: PathBuf,
    /// The token's label.
    pub token: String,
    /// The user's PIN.
    pub pin: String,
    /// The environment in which the module finds the token.
    pub environment: Vec<(OsString, OsString)>,
}

/// One end of the link.
pub struct Site {
    /// Its name in the policy.
    pub name: &'static str,
    /// The namespace of the cleartext side; the daemon's own when absent.
    pub red: Option<String>,
    /// The namespace of the encrypted side; the daemon's own when absent.
    pub black: Option<String>,
    /// Where it listens on the encrypted side.
    pub listen: SocketAddr,
    /// Addresses of its TUN interface, each with its prefix.
    pub addresses: Vec<String>,
    /// What the policy says lies behind it.
    pub prefixes: Vec<String>,
}

/// Both ends, ready to start.
pub struct Link {
    dir: PathBuf,
    keys: KeyPlace,
}

impl Link {
    /// Founds the authority in `dir`, issues, signs the policy, writes `SITE.toml` for both.
    pub fn found(dir: &Path, keys: &KeyPlace, sites: &[Site; 2]) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let link = Self { dir: dir.to_owned(), keys: keys.clone() };
        std::fs::write(link.path("pin"), format!("{}\n", keys.pin))?;
        link.authority()?;
        for site in sites {
            link.certificate(site.name, "link-device")?;
        }
        link.certificate("policy", "policy-signer")?;
        link.policy(sites)?;
        for (here, there) in [(&sites[0], &sites[1]), (&sites[1], &sites[0])] {
            std::fs::write(link.config(here.name), link.describe(here, there))?;
        }
        Ok(link)
    }

    /// A file of the fixture.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A site's configuration.
    pub fn config(&self, site: &str) -> PathBuf {
        self.path(&format!("{site}.toml"))
    }

    /// Adds a section to a site's configuration.
    pub fn configure(&self, site: &str, section: &str) -> Result<()> {
        let text = std::fs::read_to_string(self.config(site))?;
        Ok(std::fs::write(self.config(site), format!("{text}{section}\n"))?)
    }

    /// Starts one site's daemon; its log is `DIR/SITE.log`.
    pub fn start(&self, site: &str) -> Result<Background> {
        self.start_with(site, &[])
    }

    /// The same in a changed environment.
    pub fn start_with(&self, site: &str, environment: &[(&str, &str)]) -> Result<Background> {
        let mut linkd = Command::new(built::program("coloa-linkd")?);
        linkd.args(["run", "--config"]).arg(self.config(site)).envs(self.keys.environment.clone());
        linkd.envs(environment.iter().copied());
        Background::start(&self.dir, site, &linkd)
    }

    /// What `coloa-linkd status` says of a site, and whether all is well.
    pub fn status(&self, site: &str) -> Result<(String, bool)> {
        let mut linkd = Command::new(built::program("coloa-linkd")?);
        let out = linkd.args(["status", "--config"]).arg(self.config(site)).output()?;
        Ok((String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned(), out.status.success()))
    }

    fn authority(&self) -> Result<()> {
        let pin = self.path("pin");
        let pin = pin.to_str().context("a path of UTF-8")?;
        let place = self.key("root");
        self.pki(&["init-root", "--dir", "root", "--subject", "CN=Root 1,O=Demo,C=VN"], &place)?;
        let place = self.key("issuing");
        let subject = "CN=Issuing 1,O=Demo,C=VN";
        let from = ["--root-dir", "root", "--root-pin-file", pin, "--subject", subject];
        self.pki(&[&["init-issuing", "--dir", "issuing"], from.as_slice()].concat(), &place)
    }

    /// A key in the token, a request, a certificate: `NAME.pem` with its chain.
    fn certificate(&self, name: &str, profile: &str) -> Result<()> {
        let (csr, pem) = (format!("{name}.csr"), format!("{name}.pem"));
        let subject = format!("CN={name},O=Demo,C=VN");
        self.pki(&["device-key", "--subject", &subject, "--out", &csr], &self.key(name))?;
        let issue = ["issue", "--dir", "issuing", "--pin-file", "pin", "--profile", profile];
        self.pki(&[issue.as_slice(), &["--csr", &csr, "--with-chain", "--out", &pem]].concat(), &[])
    }

    fn policy(&self, sites: &[Site; 2]) -> Result<()> {
        let mut text = String::from("serial = 1\n");
        for site in sites {
            let identity = self.linkd(&["identity", &format!("{}.pem", site.name)], &[])?;
            let name = site.name;
            text += &format!("[[site]]\nname = \"{name}\"\nidentity = \"{}\"\n", identity.trim());
            text += &format!("red = {:?}\n", site.prefixes);
        }
        text += &format!("[[link]]\nbetween = [\"{}\", \"{}\"]\n", sites[0].name, sites[1].name);
        std::fs::write(self.path("policy.toml"), text)?;
        let files = ["--certificate", "policy.pem", "--input", "policy.toml", "--output", "policy.bundle"];
        let key: Vec<_> = self.key("policy").into_iter().map(|w| w.replace("--label", "--key")).collect();
        let words = [["policy", "sign"].as_slice(), &files].concat();
        self.linkd(&words, &key).map(drop)
    }

    fn describe(&self, here: &Site, there: &Site) -> String {
        let namespace =
            |name: &Option<String>| name.as_ref().map_or(String::new(), |n| format!("namespace = \"{n}\"\n"));
        let shared = here.red == here.black;
        format!(
            "state_dir = \"state-{site}\"\nallow_shared_namespace = {shared}\n\
             [red]\n{red}name = \"coloa0\"\naddresses = {addresses:?}\n\
             [black]\n{black}listen = \"{listen}\"\n\
             [token]\nmodule = {module:?}\nlabel = \"{token}\"\nkey = \"{site}\"\npin_file = \"pin\"\n\
             [identity]\ncertificate = \"{site}.pem\"\ntrust_anchors = \"root/ca.pem\"\n\
             [policy]\nbundle = \"policy.bundle\"\nauthority = \"policy.pem\"\n\
             [[peer]]\nsite = \"{peer}\"\nendpoint = \"{endpoint}\"\n\
             [metrics]\nlisten = \"{socket}\"\n",
            site = here.name,
            red = namespace(&here.red),
            black = namespace(&here.black),
            addresses = here.addresses,
            listen = here.listen,
            module = self.keys.module,
            token = self.keys.token,
            peer = there.name,
            endpoint = there.listen,
            socket = self.path(&format!("{}.sock", here.name)).display(),
        )
    }

    /// The arguments that name a key in our token.
    fn key(&self, label: &str) -> Vec<String> {
        let module = self.keys.module.to_string_lossy().into_owned();
        let words = ["--module", &module, "--token", &self.keys.token, "--pin-file", "pin", "--label", label];
        words.map(str::to_owned).to_vec()
    }

    fn pki(&self, words: &[&str], more: &[String]) -> Result<()> {
        self.run("coloa-pki", words, more).map(drop)
    }

    fn linkd(&self, words: &[&str], more: &[String]) -> Result<String> {
        self.run("coloa-linkd", words, more)
    }

    fn run(&self, program: &str, words: &[&str], more: &[String]) -> Result<String> {
        let mut c = Command::new(built::program(program)?);
        c.args(words).args(more).envs(self.keys.environment.clone()).current_dir(&self.dir);
        let out = c.output().with_context(|| format!("cannot start {program}"))?;
        if !out.status.success() {
            bail!("`{program} {}`: {}", words.join(" "), String::from_utf8_lossy(&out.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    }
}
