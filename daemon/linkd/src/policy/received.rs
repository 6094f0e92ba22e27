//! Where a policy comes from: the file of the configuration, as somebody put it there, or the one that a peer handed over. The
//! newer of the two counts; both are believed for their signature alone (R37).

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use coloa_link::{Bundle, bundle::BundleError};

use super::authority::Authority;
use super::bundle::Signed;
use crate::admission::Trust;
use crate::config::{Config, PolicyFiles};

/// The files.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// What the configuration names.
    pub files: &'a PolicyFiles,
    /// Where what peers hand over is kept.
    folder: &'a Path,
}

impl<'a> Sources<'a> {
    /// As the configuration has them.
    pub fn of(config: &'a Config) -> Self {
        Self { files: &config.policy, folder: &config.state_dir }
    }

    /// The bundle that a peer handed over last.
    pub fn received(&self) -> PathBuf {
        self.folder.join("policy-received.bundle")
    }

    /// Judges a bundle that a peer handed over and keeps it, durably; it is in force when the guard has taken it up. Its
    /// serial must be above the one in force, and the authority must still sign.
    pub fn keep(&self, file: &[u8], trust: &Trust, in_force: u64) -> Result<u64, String> {
        let authority = Authority::read(&self.files.authority, trust).map_err(|e| e.to_string())?;
        if !authority.may_sign_anew() {
            return Err("the policy authority's certificate has expired".into());
        }
        let signed = Signed::verify(file, authority.certificate())?;
        let bundle = Bundle::parse(signed.octets()).map_err(|e| e.to_string())?;
        let serial = bundle.serial;
        bundle.accept(Some(in_force)).map_err(|e: BundleError| e.to_string())?;
        self.write(file).map_err(|e| format!("{}: {e}", self.received().display()))?;
        Ok(serial)
    }

    fn write(&self, file: &[u8]) -> std::io::Result<()> {
        fs::create_dir_all(self.folder)?;
        let (path, draft) = (self.received(), self.folder.join("policy-received.new"));
        let mut out = File::create(&draft)?;
        out.write_all(file)?;
        out.sync_all()?;
        fs::rename(&draft, &path)?;
        File::open(self.folder)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::policy::authority::POLICY_SIGNING;
    use crate::policy::bundle::Suite;
    use crate::policy::description;
    use rcgen::{BasicConstraints, CertificateParams, CustomExtension, IsCa, Issuer, KeyPair, SigningKey};

    struct Desk {
        folder: tempfile::TempDir,
        files: PolicyFiles,
        trust: Trust,
        key: KeyPair,
    }

    fn desk() -> Desk {
        let folder = tempfile::tempdir().expect("folder");
        let new_key = || KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).expect("key");
        let mut root = CertificateParams::new(Vec::new()).expect("parameters");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.distinguished_name.push(rcgen::DnType::CommonName, "root");
        let root_key = new_key();
        let certificate = root.self_signed(&root_key).expect("root");
        let (key, issuer) = (new_key(), Issuer::new(root, root_key));
        let mut signer = CertificateParams::new(Vec::new()).expect("parameters");
        signer.distinguished_name.push(rcgen::DnType::CommonName, "policy");
        let purpose = [&[0x06, POLICY_SIGNING.len() as u8], POLICY_SIGNING].concat();
        let content = [&[0x30, purpose.len() as u8], &purpose[..]].concat();
        signer.custom_extensions = vec![CustomExtension::from_oid_content(&[2, 5, 29, 37], content)];
        let signer = signer.signed_by(&key, &issuer).expect("signer");
        let path = |name: &str| folder.path().join(name);
        fs::write(path("root.pem"), certificate.pem()).expect("write");
        fs::write(path("policy.pem"), signer.pem()).expect("write");
        let (trust_anchors, authority) = (path("root.pem"), path("policy.pem"));
        let identity = config::Identity { certificate: path("none"), trust_anchors, crl: None };
        let files = PolicyFiles { bundle: path("none"), authority };
        Desk { trust: Trust::load(&identity).expect("trust"), files, key, folder }
    }

    impl Desk {
        fn signed(&self, serial: u64) -> Vec<u8> {
            let octets = description::parse(&format!("serial = {serial}\n")).expect("a policy").to_bytes();
            let signature = self.key.sign(&Suite::P384.message(&octets)).expect("a signature");
            Suite::P384.file(&octets, &signature)
        }

        fn keep(&self, file: &[u8], in_force: u64) -> Result<u64, String> {
            Sources { files: &self.files, folder: &self.folder.path().join("state") }.keep(file, &self.trust, in_force)
        }
    }

    #[test]
    fn only_a_signed_policy_with_a_serial_that_rises_is_kept() {
        let desk = desk();
        let kept = || fs::read(desk.folder.path().join("state/policy-received.bundle")).ok();
        for stale in [4, 5] {
            let refused = desk.keep(&desk.signed(stale), 5).expect_err("stale");
            assert!(refused.contains(&format!("has serial {stale}, but 5 is in force")), "{refused}");
        }
        let mut changed = desk.signed(6);
        let last = changed.len() - 1;
        changed[last] ^= 1;
        assert!(desk.keep(&changed, 5).expect_err("changed").contains("not signed by the policy authority"));
        let foreign = Desk { key: KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).expect("key"), ..self::desk() };
        assert!(desk.keep(&foreign.signed(6), 5).expect_err("foreign").contains("not signed by the policy authority"));
        assert!(desk.keep(b"serial = 6\n", 5).is_err());
        assert_eq!(kept(), None, "nothing of all that was kept");
        let good = desk.signed(6);
        assert_eq!((desk.keep(&good, 5), kept()), (Ok(6), Some(good)));
    }
}
