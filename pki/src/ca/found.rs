//! Founding an authority: keys in the token, certificate, journal, and last the configuration that makes it one.

use std::path::Path;

use super::files::{self, Config};
use super::{AtWork, Authority, not_after, random_serial, read_certificate, validity_of};
use crate::certificate::{self, Issuer, Particulars};
use crate::clock::Moment;
use crate::curve::{Curve, PublicKey};
use crate::journal::{Event, Journal};
use crate::lint::lint;
use crate::name::Subject;
use crate::profile::{JOURNAL, Permitted, ROOT, Role};
use crate::token::{Key, Signer, Token, TokenAddress};
use crate::validate::{Purpose, Validator};
use crate::{Error, Result, request};

/// What every new authority is told.
pub struct Founding<'a> {
    /// Its directory: absent or empty.
    pub directory: &'a Path,
    /// Where its keys are to be.
    pub address: &'a TokenAddress,
    /// Label of its key.
    pub label: &'a str,
    /// For the CRL distribution point of what it issues.
    pub crl_url: Option<&'a str>,
}

/// What a new root is told besides.
pub struct RootTerms {
    /// Its name.
    pub subject: Subject,
    /// Its curve.
    pub curve: Curve,
    /// Days of validity.
    pub days: Option<u32>,
}

impl Founding<'_> {
    /// Makes both keys in the token, signs the root by itself, and opens its journal.
    pub fn root(&self, token: &Token, terms: RootTerms, now: Moment) -> Result<Authority> {
        self.refuse_early()?;
        let permitted = ROOT.permit(terms.subject, Vec::new())?;
        let end = not_after(&ROOT, terms.days, now, now.plus_days(ROOT.max_days)?)?;
        let (key, _) = self.generate(token, terms.curve)?;
        let issuer =
            Issuer { name: permitted.subject().to_der()?, key_id: key.public_key().identifier(), crl_url: None };
        let root = sign(&permitted, key.public_key(), (now, end), &issuer, (token, &key))?;
        self.establish(token, Role::Root, &root, (&[], &root), now)
    }

    /// Makes both keys of an issuing authority and the request that its root is to answer; DER.
    pub fn request_issuing(&self, token: &Token, subject: &Subject, curve: Curve) -> Result<Vec<u8>> {
        self.refuse_early()?;
        let (key, _) = self.generate(token, curve)?;
        request::write(subject, &[], &key)
    }

    /// Opens the journal of an issuing authority that this root has certified; the certificate may come from far away.
    pub fn issuing(&self, token: &Token, certificate: &[u8], root: &[u8], now: Moment) -> Result<Authority> {
        files::fresh_directory(self.directory)?;
        let (anchors, own) = ([root.to_vec()], certificate.to_vec());
        Validator::new(&anchors, now, Purpose::Authority)?.validate(&own)?;
        self.establish(token, Role::Issuing, certificate, (&[certificate.to_vec()], root), now)
    }

    fn generate<'t>(&self, token: &'t Token, curve: Curve) -> Result<(Key<'t>, Key<'t>)> {
        let key = token.generate(self.label, curve)?;
        Ok((key, token.generate(&self.config().journal_label(), curve)?))
    }

    /// Before keys are made: what would fail afterwards.
    fn refuse_early(&self) -> Result<()> {
        let usable = |url: &str| url.len() <= 255 && url.bytes().all(|b| b.is_ascii_graphic()) && url.contains("://");
        match self.crl_url.is_none_or(usable) {
            true => files::fresh_directory(self.directory),
            false => Err(Error::UrlRefused),
        }
    }

    fn establish(
        &self,
        token: &Token,
        role: Role,
        own: &[u8],
        (chain, root): (&[Vec<u8>], &[u8]),
        now: Moment,
    ) -> Result<Authority> {
        let (key, journal_key) = (token.key(self.label)?, token.key(&self.config().journal_label())?);
        let parsed = read_certificate(own)?;
        if PublicKey::from_spki(parsed.public_key())? != *key.public_key() {
            return Err(Error::KeyForeign { label: self.label.into() });
        }
        let issuer = Issuer {
            name: parsed.subject().as_raw().to_vec(),
            key_id: key.public_key().identifier(),
            crl_url: self.crl_url.map(str::to_owned),
        };
        let permitted = JOURNAL.permit("CN=Journal signer".parse()?, Vec::new())?;
        let (begin, end) = validity_of(&parsed)?;
        let span = (begin, not_after(&JOURNAL, None, now, end)?);
        let journal = sign(&permitted, journal_key.public_key(), span, &issuer, (token, &key))?;
        let opened = Event::Opened { role, authority: own.to_vec(), journal };
        Journal::create(self.directory, opened, now, &journal_key)?;
        files::keep_certificates(self.directory, own, chain, root)?;
        self.config().write(self.directory)?;
        Ok(AtWork::open(self.directory)?.0)
    }

    fn config(&self) -> Config {
        Config {
            module: self.address.module.canonicalize().unwrap_or_else(|_| self.address.module.clone()),
            token: self.address.label.clone(),
            label: self.label.into(),
            crl_url: self.crl_url.map(str::to_owned),
        }
    }
}

fn sign(
    permitted: &Permitted,
    public_key: &PublicKey,
    (not_before, not_after): (Moment, Moment),
    issuer: &Issuer,
    (token, key): (&Token, &Key<'_>),
) -> Result<Vec<u8>> {
    let serial = random_serial(token)?;
    let particulars = Particulars { permitted, public_key, serial: &serial, not_before, not_after };
    let der = certificate::build(&particulars, issuer, key)?;
    lint(&der, &particulars, issuer, key.public_key())?;
    Ok(der)
}
