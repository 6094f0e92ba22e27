//! The authority's work on key packages (R32).

use coloa_package::{Body, CODE_LEN, Code, Header, Item, Keys, Receipt, SERIAL_LEN, SUITE};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use zeroize::Zeroizing;

use super::{Order, Unlocked, chain_and_root, read_certificate};
use crate::clock::Moment;
use crate::crl::Reason;
use crate::curve::PublicKey;
use crate::journal::Event;
use crate::package::site;
use crate::package::stock::{self, State};
use crate::package::table::Site;
use crate::pem::{self, Label};
use crate::profile::LINK_DEVICE;
use crate::token::Signer;
use crate::{Error, Result, hex, oid};

/// So much may a box's clock be ahead of ours.
const CLOCK_SKEW: u64 = 300;

/// What all packages of a bulk have in common.
pub struct PackageTerms {
    /// Name of the bulk.
    pub batch: String,
    /// First and last second in which they may be opened.
    pub window: (Moment, Moment),
    /// Label of the key that signs packages, in the authority's token.
    pub signer_label: String,
    /// Its certificate, DER.
    pub signer: Vec<u8>,
    /// Certificate of the policy authority, PEM.
    pub policy_authority: Vec<u8>,
    /// The signed policy, if there is one yet.
    pub policy: Option<Vec<u8>>,
    /// Revocation lists, PEM.
    pub lists: Option<Vec<u8>>,
}

/// A package that was sealed and signed, and is not yet in the journal.
pub struct Packaged {
    /// Its serial.
    pub serial: [u8; SERIAL_LEN],
    /// The file.
    pub octets: Vec<u8>,
    /// SHA-256 of the file.
    pub digest: [u8; 32],
    /// The site's certificate, DER, and its serial number.
    pub certificate: (Vec<u8>, Vec<u8>),
    /// Last second.
    pub until: Moment,
}

impl Unlocked<'_> {
    /// Draws a key, certifies it and seals it. What comes back may be released after [`Unlocked::package_made`].
    pub fn make_package(&mut self, site: &Site, terms: &PackageTerms, now: Moment) -> Result<(Packaged, Code)> {
        let token = self.token;
        // Before anything is issued.
        let signer = token.key(&terms.signer_label)?;
        check_signer(&read_certificate(&terms.signer)?, signer.public_key())?;
        let key = token.draw_site_key()?;
        let permitted = LINK_DEVICE.permit(site.subject.clone(), Vec::new())?;
        let order = Order { permitted: &permitted, public_key: key.public_key(), days: None };
        let certificate = self.issue(&order, now)?;
        let serial = self.random::<SERIAL_LEN>()?;
        let code = Code::new(self.random::<CODE_LEN>()?);
        let keys = Keys::derive(&code, &serial).map_err(|_| Error::Encoding)?;
        let items = self.items(site, terms, &certificate.certificate)?;
        let header = Header {
            suite: SUITE,
            serial,
            site: site.name.clone(),
            organ: site.organ.clone(),
            from: terms.window.0.seconds(),
            until: terms.window.1.seconds(),
            issuer: self.authority.own_name()?,
            certificate: certificate.serial.clone().into(),
            contents: items.iter().map(|i| i.name.clone()).collect(),
        };
        let body = Body { items, point: key.public_key().point().to_vec().into() };
        let sealed = coloa_package::seal(header, key.wrap(&keys.wrapping)?, &body, &keys);
        let octets = self.sign_package(sealed.map_err(|_| Error::Encoding)?, &terms.signer, &signer)?;
        let digest = coloa_package::digest(&octets);
        let certificate = (certificate.certificate, certificate.serial);
        Ok((Packaged { serial, octets, digest, certificate, until: terms.window.1 }, code))
    }

    fn sign_package(&self, mut package: coloa_package::Package, signer: &[u8], key: &dyn Signer) -> Result<Vec<u8>> {
        let (chain, _) = chain_and_root(&self.authority.directory)?;
        package.signers =
            std::iter::once(signer).chain(chain.iter().map(Vec::as_slice)).map(|der| der.to_vec().into()).collect();
        let message = package.message().map_err(|_| Error::Encoding)?;
        package.signature = key.sign(&message)?.into();
        package.to_bytes().map_err(|_| Error::Encoding)
    }

    fn items(&self, site: &Site, terms: &PackageTerms, certificate: &[u8]) -> Result<Vec<Item>> {
        let (chain, root) = chain_and_root(&self.authority.directory)?;
        let mut device = pem::encode(Label::Certificate, certificate)?;
        for der in &chain {
            device += &pem::encode(Label::Certificate, der)?;
        }
        let config = site::config(site, terms.lists.is_some());
        let mut files = vec![
            (site::CONFIG, config.into_bytes()),
            (site::CERTIFICATE, device.into_bytes()),
            (site::ANCHORS, pem::encode(Label::Certificate, &root)?.into_bytes()),
            (site::POLICY_AUTHORITY, terms.policy_authority.clone()),
        ];
        files.extend(terms.policy.clone().map(|octets| (site::POLICY, octets)));
        files.extend(terms.lists.clone().map(|octets| (site::LISTS, octets)));
        Ok(files.into_iter().map(|(name, octets)| Item { name: name.to_owned(), octets: octets.into() }).collect())
    }

    fn random<const N: usize>(&self) -> Result<[u8; N]> {
        let drawn = Zeroizing::new(self.token.random(N as u32)?);
        drawn.as_slice().try_into().map_err(|_| Error::RandomBroken)
    }

    /// Records that a package is about to be released.
    pub fn package_made(&mut self, site: &Site, made: &Packaged, batch: &str, now: Moment) -> Result<()> {
        let event = Event::PackageMade {
            package: made.serial.to_vec(),
            site: site.name.clone(),
            batch: batch.to_owned(),
            certificate: made.certificate.1.clone(),
            digest: made.digest.to_vec(),
            until: made.until,
        };
        self.record(event, now)
    }

    /// Withdraws a package and the certificate in it.
    pub fn void_package(&mut self, serial: &[u8], now: Moment) -> Result<()> {
        let line = stock::find(self.authority.journal.records(), serial)?;
        if line.voided {
            return Err(Error::PackageDone { serial: hex::encode(serial), state: State::Voided.word() });
        }
        match self.revoke(&line.certificate, Reason::KeyCompromise, now) {
            Ok(()) | Err(Error::AlreadyRevoked { .. }) => {}
            Err(other) => return Err(other),
        }
        self.record(Event::PackageVoided { package: serial.to_vec() }, now)
    }

    /// Takes a receipt in. A second one, a late one, one for a package that was withdrawn: recorded, and an alarm.
    pub fn receive(&mut self, octets: &[u8], now: Moment) -> Result<stock::Line> {
        let refuse = |why: &str| Error::PackageReceipt { why: why.to_owned() };
        let receipt = Receipt::parse(octets).map_err(|e| refuse(&e.to_string()))?;
        let line = stock::find(self.authority.journal.records(), &receipt.package)?;
        if line.digest != receipt.digest {
            return Err(refuse("it is for another file than the one that was made under this serial"));
        }
        let entry = self.authority.inventory.find(&line.certificate).ok_or(Error::JournalNonsense)?;
        let signed = entry.key.verify(&receipt.message(), &receipt.signature);
        signed.map_err(|_| refuse("the key that was in the package did not sign it"))?;
        let opened = Moment::from_seconds(receipt.opened)?;
        let alarm = what_is_wrong(&line, opened, now);
        let (package, device) = (receipt.package.to_vec(), receipt.device);
        self.record(Event::PackageReceived { package, opened, device, alarm: alarm.clone() }, now)?;
        match alarm {
            Some(why) => Err(Error::PackageAlarm { serial: hex::encode(&line.serial), why }),
            None => stock::find(self.authority.journal.records(), &line.serial),
        }
    }
}

impl super::Authority {
    fn own_name(&self) -> Result<String> {
        Ok(crate::inventory::shown_name(read_certificate(&self.certificate)?.subject()))
    }
}

fn what_is_wrong(line: &stock::Line, opened: Moment, now: Moment) -> Option<String> {
    if let Some((at, device)) = &line.opened {
        return Some(format!("there was one before: opened {at} on {device}"));
    }
    if line.voided {
        return Some("the package was withdrawn".into());
    }
    if opened > line.until {
        return Some(format!("it was opened at {opened}, after its end"));
    }
    let early = opened.seconds().saturating_add(CLOCK_SKEW) < line.made.seconds();
    let ahead = opened.seconds() > now.seconds().saturating_add(CLOCK_SKEW);
    (early || ahead).then(|| format!("it says it was opened at {opened}, which cannot be"))
}

/// The certificate belongs to the key and is for this purpose alone.
fn check_signer(certificate: &X509Certificate<'_>, key: &PublicKey) -> Result<()> {
    if PublicKey::from_spki(certificate.public_key())? != *key {
        return Err(Error::PackageSigner { why: "it is for another key" });
    }
    let fits = certificate.extensions().iter().any(|e| match e.parsed_extension() {
        ParsedExtension::ExtendedKeyUsage(usage) => usage.other.iter().any(|o| o.as_bytes() == oid::PACKAGE_SIGNING),
        _ => false,
    });
    fits.then_some(()).ok_or(Error::PackageSigner { why: "it was not issued for packages" })
}
