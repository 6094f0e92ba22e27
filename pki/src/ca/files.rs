//! The files of an authority's directory, beside the journal.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::pem::{self, Label};
use crate::token::TokenAddress;
use crate::{Error, Result, durable};

const CONFIG: &str = "ca.toml";
const OWN: &str = "ca.pem";
const CHAIN: &str = "chain.pem";
const ROOT: &str = "root.pem";
const LIST: &str = "crl.pem";
const LOCK: &str = "lock";

/// `ca.toml`: where the keys are and what goes into certificates.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The PKCS#11 module.
    pub module: PathBuf,
    /// Label of the token.
    pub token: String,
    /// Label of the authority's key; the journal key's is this with ` journal` after it.
    pub label: String,
    /// Put into issued certificates as the CRL distribution point.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crl_url: Option<String>,
}

impl Config {
    /// Reads the directory's configuration.
    pub fn read(directory: &Path) -> Result<Config> {
        let path = directory.join(CONFIG);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::NoAuthority { directory: directory.into() });
            }
            Err(e) => return Err(Error::file(&path, e)),
        };
        toml::from_str(&text).map_err(|e| Error::Config { path, why: e.message().into() })
    }

    pub(super) fn write(&self, directory: &Path) -> Result<()> {
        let text = toml::to_string(self).map_err(|_| Error::Encoding)?;
        durable::replace(&directory.join(CONFIG), text.as_bytes())
    }

    /// Where the keys are.
    pub fn address(&self) -> TokenAddress {
        TokenAddress { module: self.module.clone(), label: self.token.clone() }
    }

    /// Label of the journal key.
    pub fn journal_label(&self) -> String {
        format!("{} journal", self.label)
    }
}

/// Makes the directory, which must not hold anything yet.
pub(super) fn fresh_directory(directory: &Path) -> Result<()> {
    let fail = |e| Error::file(directory, e);
    fs::create_dir_all(directory).map_err(fail)?;
    match fs::read_dir(directory).map_err(fail)?.next() {
        None => Ok(()),
        Some(_) => Err(Error::DirectoryNotEmpty { directory: directory.into() }),
    }
}

/// For work: nobody else reads or works.
pub(super) fn lock_to_work(directory: &Path) -> Result<File> {
    let path = directory.join(LOCK);
    let file = File::create(&path).map_err(|e| Error::file(&path, e))?;
    held(file.try_lock(), directory, &path)?;
    Ok(file)
}

/// For reading: others may read. A copy made for an auditor, or a read-only one, may lack the file.
pub(super) fn lock_to_read(directory: &Path) -> Result<Option<File>> {
    let path = directory.join(LOCK);
    let Ok(file) = File::open(&path) else { return Ok(None) };
    held(file.try_lock_shared(), directory, &path)?;
    Ok(Some(file))
}

fn held(outcome: std::result::Result<(), TryLockError>, directory: &Path, path: &Path) -> Result<()> {
    match outcome {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(Error::Busy { directory: directory.into() }),
        Err(TryLockError::Error(e)) => Err(Error::file(path, e)),
    }
}

/// The authority's certificate, DER.
pub(super) fn own_certificate(directory: &Path) -> Result<Vec<u8>> {
    pem::decode_one(&pem::read_file(&directory.join(OWN))?, Label::Certificate)
}

/// Certificates from the authority up to, and without, the root; and the root.
pub fn chain_and_root(directory: &Path) -> Result<(Vec<Vec<u8>>, Vec<u8>)> {
    let root = pem::decode_one(&pem::read_file(&directory.join(ROOT))?, Label::Certificate)?;
    let path = directory.join(CHAIN);
    let chain = match path.exists() {
        true => pem::decode(&pem::read_file(&path)?, Label::Certificate)?,
        false => Vec::new(),
    };
    Ok((chain, root))
}

/// Keeps what relying parties need: own certificate, chain without the root, root.
pub(super) fn keep_certificates(directory: &Path, own: &[u8], chain: &[Vec<u8>], root: &[u8]) -> Result<()> {
    let write = |name: &str, text: String| durable::replace(&directory.join(name), text.as_bytes());
    write(OWN, pem::encode(Label::Certificate, own)?)?;
    write(ROOT, pem::encode(Label::Certificate, root)?)?;
    let chain: String = chain.iter().map(|der| pem::encode(Label::Certificate, der)).collect::<Result<_>>()?;
    if chain.is_empty() { Ok(()) } else { write(CHAIN, chain) }
}

/// Keeps the newest revocation list.
pub(super) fn keep_list(directory: &Path, der: &[u8]) -> Result<()> {
    durable::replace(&directory.join(LIST), pem::encode(Label::Crl, der)?.as_bytes())
}
