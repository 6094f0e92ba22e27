//! What can be asked of `package`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::arguments::{Look, PinSource, Serial, serial};

#[derive(Subcommand)]
pub enum PackageCommand {
    /// Make a sealed package and an activation letter for each site of a table.
    #[command(after_help = "\
Example, once for all packages: the key that signs them
  coloa-pki device-key --token ca --pin-file pin --label packages --subject 'CN=Packages,C=VN' --out p.csr
  coloa-pki issue --dir issuing --pin-file pin --profile package-signer --csr p.csr --out packages.pem
Then
  coloa-pki package create --dir issuing --pin-file pin --signer packages.pem --signer-label packages \\
    --policy-authority policy.pem --csv sites.csv --batch 2026-11 --out packages/ --letters /media/letters/

The table (CSV with a header) has the columns
  site             name in the link policy, letters, digits, - _ .
  organ            O of the certificate
  red              addresses of the red interface with prefixes, separated by blanks
  black            address and port of the black side
  peers            NAME@ADDRESS:PORT, or NAME alone for one that dials; separated by blanks
  province, commune, red-namespace, black-namespace    may be absent
It is checked whole before anything is issued. Started again with the same --batch, --out and --letters, it goes on
where it stopped; a site that has a package of this batch is skipped. Keys are drawn in the token and leave it only
wrapped; the code stands in the letter and nowhere else.")]
    Create(Create),
    /// Show every package: made = received + open + lapsed + voided + alarm.
    List(Look),
    /// Withdraw a package and the certificate in it; publish the CRL afterwards.
    Void(Void),
    /// Take in the receipt that a site sent back.
    #[command(after_help = "\
Example:
  coloa-pki package receive --dir issuing --pin-file pin receipt
A second receipt for a package, or a late one, is recorded and ends with error 605.")]
    Receive(Receive),
}

#[derive(Args)]
pub struct Create {
    /// Directory of the issuing authority.
    #[arg(long)]
    pub dir: PathBuf,
    #[command(flatten)]
    pub pin: PinSource,
    /// Certificate that signs packages (profile package-signer).
    #[arg(long, value_name = "FILE")]
    pub signer: PathBuf,
    /// Label of its key, in the authority's token.
    #[arg(long, value_name = "KEY")]
    pub signer_label: String,
    /// Certificate of the policy authority.
    #[arg(long, value_name = "FILE")]
    pub policy_authority: PathBuf,
    /// The signed link policy, if there is one already; otherwise it follows to the sites.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Revocation lists for the sites; a site that has them demands them.
    #[arg(long, value_name = "FILE")]
    pub crl: Option<PathBuf>,
    /// The table of sites.
    #[arg(long, value_name = "FILE")]
    pub csv: PathBuf,
    /// Name of this bulk.
    #[arg(long)]
    pub batch: String,
    /// Days in which packages may be opened.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=366))]
    pub days: u32,
    /// Directory for the packages, the certificates and batch.json.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Another directory, for the letters.
    #[arg(long, value_name = "DIR")]
    pub letters: PathBuf,
}

#[derive(Args)]
pub struct Void {
    /// Directory of the authority.
    #[arg(long)]
    pub dir: PathBuf,
    #[command(flatten)]
    pub pin: PinSource,
    /// Serial of the package, hexadecimal.
    #[arg(value_parser = serial)]
    pub serial: Serial,
}

#[derive(Args)]
pub struct Receive {
    /// Directory of the authority.
    #[arg(long)]
    pub dir: PathBuf,
    #[command(flatten)]
    pub pin: PinSource,
    /// The receipt.
    pub receipt: PathBuf,
}
