//! The words of `coloa audit`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Args)]
pub struct AuditArguments {
    /// Over TLS with the auditor's configuration (COLOA_CONF), not on the local socket
    #[arg(long)]
    pub remote: bool,
    #[command(subcommand)]
    pub command: Audit,
}

#[derive(Subcommand)]
pub enum Audit {
    /// Write all records, or a range, to a file
    Export(AuditExport),
    /// Show each record as it comes; goes on by itself when the connection was lost
    Follow(AuditFollow),
    /// Send each record to a syslog receiver over TLS, at least once (RFC 5424, RFC 5425)
    #[command(after_help = FORWARD_EXAMPLES)]
    Forward(AuditForward),
    /// Check a file's hash chain and the device's signature on its end, without the appliance
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(AuditVerify),
    /// Have the device sign the present end of the log, to be kept elsewhere: notices a log that is cut later
    Checkpoint {
        /// The file; it must not exist
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Write the certificates of the device's signing keys: PREFIX-device.pem, PREFIX-audit.pem, PREFIX-attestation.pem
    Certificates {
        /// The beginning of the files' names
        #[arg(long, value_name = "PREFIX")]
        out: PathBuf,
    },
}

#[derive(Args)]
pub struct AuditExport {
    /// The file; it must not exist, unless with --resume
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Number of the first record
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub from: Option<u64>,
    /// Number of the last; a range that ends before the log does has no signed end
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub to: Option<u64>,
    /// Go on with a file that was begun, or add to one what is new
    #[arg(long)]
    pub resume: bool,
}

#[derive(Args)]
pub struct AuditFollow {
    /// Number of the first record; else those that come from now on
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub from: Option<u64>,
    /// End after so many records
    #[arg(long, value_name = "NUMBER")]
    pub count: Option<u64>,
}

const FORWARD_EXAMPLES: &str = "\
Examples:
  coloa audit forward --to syslog.court.vn:6514 --ca ca.pem --certificate hsm.pem --key hsm.key --cursor /var/lib/coloa-audit/cursor
  systemctl enable --now coloa-audit-forward       # the same as a service; /etc/coloa/audit-forward.env says where to

Each message holds the whole record, so that the receiver's log can be checked like an export. The cursor moves when the receiver
has read a batch and closed the connection; after a failure the batch is sent again, so a record may be there twice.";

#[derive(Args)]
pub struct AuditForward {
    /// The receiver
    #[arg(long, value_name = "HOST:PORT", env = "COLOA_SYSLOG")]
    pub to: String,
    /// The name in its certificate, when not HOST
    #[arg(long, value_name = "NAME", env = "COLOA_SYSLOG_NAME")]
    pub server_name: Option<String>,
    /// Who certified it, PEM
    #[arg(long, value_name = "FILE", env = "COLOA_SYSLOG_CA")]
    pub ca: PathBuf,
    /// Our certificate, PEM
    #[arg(long, value_name = "FILE", env = "COLOA_SYSLOG_CERTIFICATE")]
    pub certificate: PathBuf,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", env = "COLOA_SYSLOG_KEY")]
    pub key: PathBuf,
    /// Where it is kept how far the log was delivered
    #[arg(long, value_name = "FILE")]
    pub cursor: PathBuf,
    /// Number of the first record, where there is no cursor yet
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub from: Option<u64>,
    /// Private enterprise number for the structured data; the default is the one for examples (RFC 5612)
    #[arg(long, value_name = "NUMBER", default_value_t = 32473)]
    pub enterprise: u32,
    /// End when nothing is left, or at the first failure
    #[arg(long)]
    pub once: bool,
}

const VERIFY_EXAMPLES: &str = "\
Examples:
  coloa audit certificates --out rack-1                     # once, at the ceremony
  coloa audit checkpoint --out monday.seal                  # kept by the auditor
  coloa audit export --out audit.cbor
  coloa audit verify audit.cbor --device-certificate rack-1-device.pem --checkpoint monday.seal";

#[derive(Args)]
pub struct AuditVerify {
    /// The file
    pub file: PathBuf,
    /// The digest its last record must have, as `coloa status` showed it: notices a missing end
    #[arg(long, value_name = "HEX")]
    pub head: Option<String>,
    /// An earlier checkpoint: the log must reach it and agree with it
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// The device's certificate, PEM, as it was taken at the ceremony; the signature must be this device's
    #[arg(long, value_name = "FILE")]
    pub device_certificate: Option<PathBuf>,
}
