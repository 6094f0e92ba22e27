//! The command line of `coloa ceremony`.

use crate::arguments::Passphrase;
use crate::custodian::arguments::{SignedBy, Signer, TokenKey};
use clap::{Args, Subcommand};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  coloa ceremony plan --example > plan.toml         # then write it with those who take part
  coloa ceremony plan plan.toml                     # each of them, on a machine of their own: note the check value
  coloa ceremony new --plan plan.toml --dir ceremony
  coloa ceremony run ceremony                       # again after an interruption
  coloa ceremony minutes ceremony --html --lang vi --out minutes.html
  coloa ceremony verify ceremony --device-certificate court-hsm-1-device.pem

A custodian who is elsewhere gets a folder on a removable medium, and answers there:
  coloa quorum sign proposal-5b1f0c2a.cbor --custodian Chi --key chi.key --out voice-5b1f0c2a.cbor
  coloa ceremony sign statement.txt --key chi.key --out statement.sig";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Ceremony,
}

#[derive(Subcommand)]
pub enum Ceremony {
    /// Check a plan, and show the check value that everybody confirms at the start; or print a plan to begin with
    Plan {
        /// The plan
        #[arg(required_unless_present = "example", conflicts_with = "example")]
        file: Option<PathBuf>,
        /// Print an example
        #[arg(long)]
        example: bool,
    },
    /// Make the folder of a ceremony: the plan, and an empty journal
    New {
        /// The plan
        #[arg(long, value_name = "FILE")]
        plan: PathBuf,
        /// The folder; it must not exist. Relative paths in the plan count from it
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
    /// Begin the ceremony, or go on where it was interrupted
    Run {
        /// The ceremony's folder
        dir: PathBuf,
    },
    /// How far a ceremony is
    Status {
        /// The ceremony's folder
        dir: PathBuf,
    },
    /// The minutes, to be printed and signed
    Minutes {
        /// The ceremony's folder
        dir: PathBuf,
        /// As a page that needs nothing but itself
        #[arg(long, conflicts_with = "text")]
        html: bool,
        /// As text; so it is without --html
        #[arg(long)]
        text: bool,
        /// Into this file, which must not exist, instead of the screen
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// A custodian signs the statement of a ceremony on a machine that never saw the appliance
    Sign(Box<Sign>),
    /// Check a ceremony's folder without the appliance: plan, journal, signatures, and what the device signed
    Verify {
        /// The ceremony's folder
        dir: PathBuf,
        /// The device's certificate, PEM, as it was taken at the ceremony and kept elsewhere
        #[arg(long, value_name = "FILE")]
        device_certificate: Option<PathBuf>,
    },
}

#[derive(Args)]
pub struct Sign {
    /// The statement, as the ceremony wrote it
    pub file: PathBuf,
    /// The custodian's key, as `coloa custodian new` made it
    #[arg(long, value_name = "FILE", required_unless_present = "module", conflicts_with = "module")]
    pub key: Option<PathBuf>,
    /// Type "sign" here instead of at the prompt
    #[arg(long, value_name = "WORD")]
    pub confirm: Option<String>,
    /// The signature; it must not exist
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    #[command(flatten)]
    pub passphrase: Passphrase,
    #[command(flatten)]
    pub token: TokenKey,
}

/// The place of a key that signs for a custodian.
pub fn signed_by(custodian: &str, key: Option<PathBuf>, passphrase: Passphrase, token: TokenKey) -> SignedBy {
    let by = Signer { key, passphrase, token };
    SignedBy { custodian: custodian.to_owned(), reject: false, confirm: None, by }
}
