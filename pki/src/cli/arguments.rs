//! What can be asked on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use coloa_pki::clock::Moment;
use coloa_pki::crl::Reason;
use coloa_pki::curve::Curve;
use coloa_pki::journal::Hash;
use coloa_pki::message::Language;
use coloa_pki::name::Subject;
use coloa_pki::token::TokenAddress;
use coloa_pki::validate::Purpose;

/// Certification authority whose keys live in PKCS#11 tokens.
#[derive(Parser)]
#[command(
    version,
    max_term_width = 110,
    after_help = "\
Examples, from nothing to a device's certificate (each command's --help has more):
  export PKCS11_MODULE=/usr/lib/softhsm/libsofthsm2.so
  coloa-pki init-root --dir root --token ca --pin-file pin --label root --subject 'CN=Gốc 1,C=VN'
  coloa-pki init-issuing --dir issuing --root-dir root --root-pin-file pin \\
    --token ca --pin-file pin --label issuing --subject 'CN=Cấp phát 1,C=VN'
  coloa-pki device-key --token site --pin-file pin --label link --subject CN=site --out a.csr
  coloa-pki issue --dir issuing --pin-file pin --profile link-device --csr a.csr --out a.pem
  coloa-pki list --dir issuing
  coloa-pki revoke --dir issuing --pin-file pin --serial 5A… --reason key-compromise
  coloa-pki crl --dir issuing --pin-file pin --out crl.pem

A PIN is read from --pin-file, from --pin-fd, or from the terminal;
never from the command line or the environment.
Exit status: 0 done, 1 refused or failed (the reason is on standard error), 2 wrong usage."
)]
pub struct Arguments {
    /// Language of messages; otherwise from LC_ALL, LC_MESSAGES or LANG.
    #[arg(long, global = true, value_enum)]
    pub lang: Option<Language>,
    /// Print one JSON document instead of tables; errors too, on standard error.
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Found a root authority: make its keys in a token, sign it by itself, open its journal.
    #[command(after_help = "\
Example:
  coloa-pki init-root --dir /var/lib/coloa-pki/root --module /usr/lib/softhsm/libsofthsm2.so \\
    --token root --pin-file /run/pin --label root --subject 'CN=Root 1,O=Authority,C=VN'

Two keys are made: LABEL signs certificates and CRLs, 'LABEL journal' signs the journal (one key, one purpose).")]
    InitRoot(InitRoot),
    /// Found an issuing authority under a root: make its keys, have the root certify it, open its journal.
    #[command(after_help = "\
Example:
  coloa-pki init-issuing --dir issuing --root-dir root --root-pin-file root-pin \\
    --token issuing --pin-file pin --label issuing --subject 'CN=Issuing 1,O=Authority,C=VN' \\
    --crl-url http://pki.example/crl

With a root that is kept offline, in three steps (same --dir, --token, --label in first and third):
  coloa-pki init-issuing … --csr-out i.csr
  coloa-pki issue --dir root --pin-file root-pin --profile issuing-ca --csr i.csr --out i.pem
  coloa-pki init-issuing … --certificate i.pem --root root.pem")]
    InitIssuing(InitIssuing),
    /// Make a key in a device's token and write a certificate request for it.
    #[command(after_help = "\
Example:
  coloa-pki device-key --module M.so --token site-a --pin-file pin --label link \\
    --subject 'CN=site-a,O=Court' --dns site-a.link --out site-a.csr
  coloa-pki device-key … --use-existing    a new request for the key that is there (renewal)")]
    DeviceKey(DeviceKey),
    /// Check a request, have the token sign a certificate under a profile, record it, release it.
    #[command(after_help = "\
Examples:
  coloa-pki issue --dir issuing --pin-file pin --profile link-device --csr a.csr --out a.pem
  coloa-pki issue --dir issuing --pin-file pin --profile tls-server --csr s.csr --with-chain --out s.pem

Only the key and the names that the profile permits come from the request. Extensions it asks for
are ignored and named in the output. `coloa-pki profiles` lists the profiles.")]
    Issue(Issue),
    /// Withdraw a certificate.
    #[command(after_help = "\
Example:
  coloa-pki revoke --dir issuing --pin-file pin --serial 5ABC… --reason key-compromise
  coloa-pki crl --dir issuing --pin-file pin --out crl.pem     (relying parties learn of it from the next list)")]
    Revoke(Revoke),
    /// Sign the next revocation list.
    Crl(Crl),
    /// Show every certificate with its state: issued = active + revoked + expired.
    List(Look),
    /// Write a certificate out again, from the journal.
    Export(Export),
    /// Validate a certificate as a relying party does: path, dates, usage, purpose, revocation.
    #[command(after_help = "\
Examples:
  coloa-pki verify --dir issuing --purpose link-device a.pem
  coloa-pki verify --root root.pem --untrusted issuing.pem --crl crl.pem --require-crl --purpose tls-server s.pem")]
    Verify(Verify),
    /// Look at the journal.
    Journal {
        #[command(subcommand)]
        command: JournalCommand,
    },
    /// Sealed key packages for sites, in bulk.
    Package {
        #[command(subcommand)]
        command: super::package::arguments::PackageCommand,
    },
    /// List the profiles.
    Profiles,
}

#[derive(Subcommand)]
pub enum JournalCommand {
    /// Verify chain, signatures and head; needs no token.
    #[command(after_help = "\
Example:
  coloa-pki journal verify --dir issuing
  coloa-pki journal verify --dir issuing --expect 41:9f86d0…   (a head noted elsewhere: finds a whole old journal put back)")]
    Verify(JournalVerify),
    /// Show the records.
    Show(Look),
}

/// Where a PIN comes from.
#[derive(Args)]
pub struct PinSource {
    /// File whose first line is the user PIN.
    #[arg(long, value_name = "FILE")]
    pub pin_file: Option<PathBuf>,
    /// Open file descriptor to read the user PIN from.
    #[arg(long, value_name = "N", conflicts_with = "pin_file")]
    pub pin_fd: Option<u32>,
}

/// A token and a key in it.
#[derive(Args)]
pub struct KeyPlace {
    /// PKCS#11 module, a shared object.
    #[arg(long, env = "PKCS11_MODULE", value_name = "FILE")]
    pub module: PathBuf,
    /// Label of the token.
    #[arg(long, value_name = "LABEL")]
    pub token: String,
    /// Label of the key.
    #[arg(long, value_name = "KEY")]
    pub label: String,
    #[command(flatten)]
    pub pin: PinSource,
}

impl KeyPlace {
    pub fn address(&self) -> TokenAddress {
        TokenAddress { module: self.module.clone(), label: self.token.clone() }
    }
}

#[derive(Args)]
pub struct Identity {
    /// Name, as 'CN=…,O=…,C=VN'.
    #[arg(long, value_parser = subject)]
    pub subject: Subject,
    /// Curve of the key.
    #[arg(long, default_value = "P-384", value_name = "P-384|P-256")]
    pub curve: Curve,
}

#[derive(Args)]
pub struct InitRoot {
    /// Directory of the new authority; absent or empty.
    #[arg(long)]
    pub dir: PathBuf,
    #[command(flatten)]
    pub key: KeyPlace,
    #[command(flatten)]
    pub identity: Identity,
    /// Days of validity.
    #[arg(long)]
    pub days: Option<u32>,
    /// Where its CRL can be fetched; goes into the certificates it issues.
    #[arg(long, value_name = "URL")]
    pub crl_url: Option<String>,
}

#[derive(Args)]
pub struct InitIssuing {
    /// Directory of the new authority; absent or empty.
    #[arg(long)]
    pub dir: PathBuf,
    #[command(flatten)]
    pub key: KeyPlace,
    #[command(flatten)]
    pub identity: Identity,
    /// Directory of the root that certifies it, when the root is at hand.
    #[arg(long, value_name = "DIR", required_unless_present_any = ["csr_out", "certificate"])]
    pub root_dir: Option<PathBuf>,
    /// Offline root, first half: make the keys and write the request that the root is to answer.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["root_dir", "certificate"])]
    pub csr_out: Option<PathBuf>,
    /// Offline root, second half: the certificate that the root issued.
    #[arg(long, value_name = "FILE", conflicts_with = "root_dir", requires = "root")]
    pub certificate: Option<PathBuf>,
    /// The root's own certificate, to go with --certificate.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub root: Option<PathBuf>,
    /// File whose first line is the user PIN of the root's token.
    #[arg(long, value_name = "FILE")]
    pub root_pin_file: Option<PathBuf>,
    /// Open file descriptor to read that PIN from.
    #[arg(long, value_name = "N", conflicts_with = "root_pin_file")]
    pub root_pin_fd: Option<u32>,
    /// Days of validity.
    #[arg(long, conflicts_with_all = ["csr_out", "certificate"])]
    pub days: Option<u32>,
    /// Where its CRL can be fetched; goes into the certificates it issues.
    #[arg(long, value_name = "URL")]
    pub crl_url: Option<String>,
}

#[derive(Args)]
pub struct DeviceKey {
    #[command(flatten)]
    pub key: KeyPlace,
    #[command(flatten)]
    pub identity: Identity,
    /// A host name to ask for; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub dns: Vec<String>,
    /// An address to ask for; may be repeated.
    #[arg(long, value_name = "ADDRESS")]
    pub ip: Vec<std::net::IpAddr>,
    /// Use the key that has this label instead of making one.
    #[arg(long)]
    pub use_existing: bool,
    /// Where to write the request; standard output otherwise.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Args)]
pub struct Issue {
    /// Directory of the authority.
    #[arg(long)]
    pub dir: PathBuf,
    #[command(flatten)]
    pub pin: PinSource,
    /// Profile to issue under.
    #[arg(long)]
    pub profile: String,
    /// The request, PEM or DER.
    #[arg(long, value_name = "FILE")]
    pub csr: PathBuf,
    /// Days of validity; the profile's default otherwise.
    #[arg(long)]
    pub days: Option<u32>,
    /// Write the authority's certificate after the new one, as TLS sends them.
    #[arg(long)]
    pub with_chain: bool,
    /// Where to write the certificate; standard output otherwise.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Args)]
pub struct Revoke {
    /// Directory of the authority.
    #[arg(long)]
    pub dir: PathBuf,
    #[command(flatten)]
    pub pin: PinSource,
    /// Serial number, hexadecimal.
    #[arg(long, value_parser = serial)]
    pub serial: Serial,
    /// Why.
    #[arg(long, value_enum)]
    pub reason: Reason,
}

#[derive(Args)]
pub struct Crl {
    /// Directory of the authority.
    #[arg(long)]
    pub dir: PathBuf,
    #[command(flatten)]
    pub pin: PinSource,
    /// Days until the next list must be there.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=366))]
    pub days: u32,
    /// Where to write the list; standard output otherwise.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Args)]
pub struct Look {
    /// Directory of the authority.
    #[arg(long)]
    pub dir: PathBuf,
}

#[derive(Args)]
pub struct Export {
    /// Directory of the authority.
    #[arg(long)]
    pub dir: PathBuf,
    /// Serial number, hexadecimal.
    #[arg(long, value_parser = serial)]
    pub serial: Serial,
    /// Where to write the certificate; standard output otherwise.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Args)]
pub struct Verify {
    /// Trusted root, PEM or DER.
    #[arg(long, value_name = "FILE", required_unless_present = "dir")]
    pub root: Option<PathBuf>,
    /// Take root and chain, and the authority's own CRL if it has one, from an authority's directory.
    #[arg(long, conflicts_with = "root")]
    pub dir: Option<PathBuf>,
    /// Certificates that may stand between; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub untrusted: Vec<PathBuf>,
    /// Revocation lists; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub crl: Vec<PathBuf>,
    /// Refuse when a fresh list of any issuer in the path is missing.
    #[arg(long)]
    pub require_crl: bool,
    /// What it is to be relied on for.
    #[arg(long, value_enum)]
    pub purpose: Purpose,
    /// At this moment instead of now, as 2026-11-24T07:00:00Z.
    #[arg(long)]
    pub at: Option<Moment>,
    /// The certificate, PEM or DER; from a chain file the first is judged, the others may stand between.
    pub certificate: PathBuf,
}

#[derive(Args)]
pub struct JournalVerify {
    /// Directory of the authority.
    #[arg(long)]
    pub dir: PathBuf,
    /// A record's number and hash noted earlier, which the journal must still hold.
    #[arg(long, value_name = "NUMBER:HASH", value_parser = expectation)]
    pub expect: Option<Expectation>,
}

/// A serial number.
#[derive(Clone)]
pub struct Serial(pub Vec<u8>);

/// A record that must be there.
#[derive(Clone, Copy)]
pub struct Expectation {
    pub number: u64,
    pub hash: Hash,
}

pub fn serial(text: &str) -> Result<Serial, String> {
    coloa_pki::hex::decode(text).map(Serial).ok_or_else(|| "write it in hexadecimal, as `list` shows it".into())
}

fn subject(text: &str) -> Result<Subject, String> {
    text.parse().map_err(|e: coloa_pki::Error| e.to_string())
}

fn expectation(text: &str) -> Result<Expectation, String> {
    let (number, hash) = text.split_once(':').ok_or("write it as NUMBER:HASH")?;
    let number = number.parse().map_err(|_| "the number is not one".to_owned())?;
    Ok(Expectation { number, hash: hash.parse()? })
}
