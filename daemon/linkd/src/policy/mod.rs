//! Who may talk to whom: the link policy, signed by the policy authority, with a serial that only rises (R37).
//!
//! Signature and memory are here; what a policy says is `coloa_link::bundle`'s matter. A policy is in force only as
//! [`Accepted`]: signed, well-formed, and not older than what this site accepted before.

mod authority;
pub mod bundle;
pub mod description;
pub mod diff;
pub mod edit;
pub mod received;
pub mod rules;
pub mod serial;
pub mod view;

use std::fs;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use coloa_link::{Accepted, Bundle};
use rustls_pki_types::CertificateDer;

use crate::admission::Trust;
use crate::fault::Fault;
use crate::identity::read_certificate;
use authority::Authority;
use bundle::{MAX_BUNDLE, Signed};
use received::Sources;
use serial::{SerialRefused, SerialStore};

/// A policy that may be put in force, and the file it came from.
#[derive(Debug)]
pub struct Loaded {
    /// What it says.
    pub accepted: Accepted,
    /// As it was signed, to be handed on.
    pub file: Vec<u8>,
}

/// Reads the newest bundle, verifies and remembers it.
pub fn load(sources: &Sources<'_>, trust: &Trust, store: &SerialStore) -> Result<Loaded, Fault> {
    let authority = Authority::read(&sources.files.authority, trust)?;
    let Verified { path, bundle, digest, file } = newest(sources, authority.certificate())?;
    let path = &path;
    let serial = bundle.serial;
    if !authority.may_sign_anew() && !store.knows(serial, &digest) {
        return Err(fault(
            path,
            "the policy authority's certificate has expired, and this bundle was not accepted before",
        ));
    }
    // Well-formed before it is remembered: a broken bundle must not lock the good one of this serial out.
    let accepted = bundle.resume(serial).map_err(|e| fault(path, e))?;
    match store.accept(serial, &digest) {
        Ok(()) => Ok(Loaded { accepted, file }),
        Err(SerialRefused::Older { accepted }) => Err(Fault::OldPolicy { path: path.to_owned(), serial, accepted }),
        Err(SerialRefused::Twin) => {
            Err(fault(path, format!("another policy with serial {serial} was accepted before")))
        }
        Err(SerialRefused::Record(why)) => Err(fault(path, why)),
    }
}

/// The newer of the configured bundle and the one that a peer handed over. The latter is there only where it helps.
fn newest(sources: &Sources<'_>, authority: &CertificateDer<'_>) -> Result<Verified, Fault> {
    let configured = verified(&sources.files.bundle, authority);
    let received = Some(sources.received()).filter(|path| path.exists()).map(|path| verified(&path, authority));
    match (configured, received) {
        (Ok(configured), Some(Ok(received))) if received.bundle.serial > configured.bundle.serial => Ok(received),
        (Err(_), Some(Ok(received))) => Ok(received),
        (configured, _) => configured,
    }
}

/// Reads a bundle and verifies its signature; it is not in force by that.
pub fn read(path: &Path, authority: &CertificateDer<'_>) -> Result<Bundle, Fault> {
    verified(path, authority).map(|verified| verified.bundle)
}

/// The policy as the daemon would take it now, without recording that it was taken.
pub fn examine(sources: &Sources<'_>, trust: &Trust) -> Result<Accepted, Fault> {
    let authority = Authority::read(&sources.files.authority, trust)?;
    let Verified { path, bundle, .. } = newest(sources, authority.certificate())?;
    let serial = bundle.serial;
    bundle.resume(serial).map_err(|e| fault(&path, e))
}

/// A policy to compare or look at: a description as it is, a bundle if its authority signed it.
pub fn read_any(path: &Path, authority: Option<&Path>) -> Result<Bundle, Fault> {
    let length = fs::metadata(path).map_err(|e| Fault::file(path, e))?.len();
    if length > MAX_BUNDLE {
        return Err(fault(path, "it is too large"));
    }
    let file = fs::read(path).map_err(|e| Fault::file(path, e))?;
    match (std::str::from_utf8(&file), authority) {
        (Ok(text), _) if !bundle::is_bundle(&file) => description::parse(text).map_err(|why| fault(path, why)),
        (_, Some(authority)) => read(path, &read_certificate(authority)?),
        (_, None) => Err(fault(path, "it is a signed bundle: say by whom (--authority)")),
    }
}

/// A bundle that the authority signed.
struct Verified {
    path: PathBuf,
    bundle: Bundle,
    digest: Vec<u8>,
    file: Vec<u8>,
}

fn verified(path: &Path, authority: &CertificateDer<'_>) -> Result<Verified, Fault> {
    let length = fs::metadata(path).map_err(|e| Fault::file(path, e))?.len();
    if length > MAX_BUNDLE {
        return Err(fault(path, "it is too large"));
    }
    let file = fs::read(path).map_err(|e| Fault::file(path, e))?;
    let signed = Signed::verify(&file, authority).map_err(|why| fault(path, why))?;
    let bundle = Bundle::parse(signed.octets()).map_err(|e| fault(path, e))?;
    let digest = digest::digest(&digest::SHA256, signed.octets()).as_ref().to_vec();
    Ok(Verified { path: path.to_owned(), bundle, digest, file })
}

fn fault(path: &Path, why: impl std::fmt::Display) -> Fault {
    Fault::Policy { path: path.to_owned(), why: why.to_string() }
}
