//! The folder that a package becomes: filled under another name, then renamed.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use coloa_package::{Body, Receipt};

use super::arguments::JoinArgs;
use super::record::sync_folder;
use crate::fault::Fault;
use crate::keyholder::process::KeySpec;

/// Names in a package and in the folder.
pub const CONFIG: &str = "link.toml";
/// The site's certificate with its chain.
pub const CERTIFICATE: &str = "device.pem";
/// Only in the folder.
pub const RECEIPT: &str = "receipt";

/// Whether this package became this folder.
pub fn holds(folder: &Path, serial: &[u8; 16]) -> bool {
    let receipt = fs::read(folder.join(RECEIPT)).ok().and_then(|octets| Receipt::parse(&octets).ok());
    receipt.is_some_and(|r| r.package == *serial)
}

/// What the box knows and the authority does not: before and after the text of the package.
pub fn local(args: &JoinArgs, spec: &KeySpec) -> Result<(String, String), Fault> {
    let text = |path: &Path| {
        let path = std::path::absolute(path).map_err(|e| Fault::file(path, e))?;
        // Through TOML's own writer, whatever is in the name.
        Ok::<_, Fault>(toml::Value::String(path.display().to_string()).to_string())
    };
    let quoted = |word: &str| toml::Value::String(word.to_owned()).to_string();
    let before = format!("state_dir = {}\n", text(&args.state_dir)?);
    let after = format!(
        "[token]\nmodule = {}\nlabel = {}\nkey = {}\npin_file = {}\n[metrics]\nlisten = {}\n",
        text(&spec.module)?,
        quoted(&spec.token),
        quoted(spec.key.as_deref().unwrap_or_default()),
        text(&spec.pin_file)?,
        text(&args.status_socket)?,
    );
    Ok((before, after))
}

/// A folder that does not count yet.
pub struct Staging {
    staging: PathBuf,
    last: PathBuf,
}

impl Staging {
    /// Beside the final one, so that the rename is one step; what an interrupted attempt left is removed.
    pub fn new(folder: &Path) -> Result<Self, Fault> {
        let last = std::path::absolute(folder).map_err(|e| Fault::file(folder, e))?;
        let name = last.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let staging = last.with_file_name(format!(".{name}.joining"));
        let fail = |e: std::io::Error| Fault::file(&staging, e);
        match fs::remove_dir_all(&staging) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(fail(e)),
            _ => {}
        }
        if let Some(parent) = last.parent() {
            fs::create_dir_all(parent).map_err(fail)?;
        }
        DirBuilder::new().mode(0o750).create(&staging).map_err(fail)?;
        Ok(Self { staging, last })
    }

    /// The package's files; the configuration with what the box adds.
    pub fn fill(&self, body: &Body, (before, after): &(String, String)) -> Result<(), Fault> {
        for item in &body.items {
            let octets = match item.name.as_str() {
                CONFIG => [before.as_bytes(), &item.octets, after.as_bytes()].concat(),
                RECEIPT => return Err(Fault::file(&self.staging, "the package brings a receipt")),
                _ => item.octets.to_vec(),
            };
            self.write(&item.name, &octets)?;
        }
        Ok(())
    }

    fn write(&self, name: &str, octets: &[u8]) -> Result<(), Fault> {
        let path = self.staging.join(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o640).open(&path);
        let written = file.and_then(|mut f| f.write_all(octets).and_then(|()| f.sync_all()));
        written.map_err(|e| Fault::file(&path, e))
    }

    /// Receipt, and the step that counts.
    pub fn finish(self, receipt: &[u8]) -> Result<(), Fault> {
        self.write(RECEIPT, receipt)?;
        sync_folder(&self.staging)?;
        fs::rename(&self.staging, &self.last).map_err(|e| Fault::file(&self.last, e))?;
        sync_folder(self.last.parent().unwrap_or(Path::new("/")))
    }
}
