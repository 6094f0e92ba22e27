//! The words of `coloa key`.

use crate::arguments::{SoPin, UserPin};
use clap::{Args, Subcommand};

const EXAMPLES: &str = "\
Examples:
  coloa key list --partition court
  coloa key suspend --partition court --key archive --reason \"laptop lost, case 17\"
  coloa key resume --partition court --key archive --reason \"found\" --so-pin-file so.pin
  coloa key describe --partition court --key archive --classification 2 --crypto-period 365
  COLOA_CONF=court-srv-1/coloa.toml coloa key rotate --token court --key archive --user-pin-file user.pin

A key is named by its id, its label or its check value, as the list shows them.";

#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Key {
    /// List the keys of a partition: state, check value, expiry, what is said of them; no login, no values
    List {
        /// The partition's label or id
        #[arg(long, value_name = "LABEL|ID")]
        partition: String,
    },
    /// Everything that may be known of one key
    Show(Chosen),
    /// Stop every use of a key, until the security officer resumes it
    Suspend(Act),
    /// Let a key only decrypt, verify and unwrap; for good
    Deactivate(Act),
    /// Say that others may know a key: it only decrypts, verifies and unwraps, and the log marks it; for good
    Compromise(Act),
    /// Let a pre-active key be used; the security officer
    Activate {
        #[command(flatten)]
        act: Act,
        #[command(flatten)]
        so: SoPin,
    },
    /// Let a suspended key be used again; the security officer
    Resume {
        #[command(flatten)]
        act: Act,
        #[command(flatten)]
        so: SoPin,
    },
    /// Say whose a key is and what for; nothing is taken back
    Describe {
        #[command(flatten)]
        chosen: Chosen,
        #[command(flatten)]
        said: Said,
    },
    /// Destroy a key and print the certificate of it; the security officer
    Destroy {
        #[command(flatten)]
        act: Act,
        #[command(flatten)]
        so: SoPin,
        /// Type the check value here instead of at the prompt
        #[arg(long, value_name = "CHECK_VALUE")]
        confirm: Option<String>,
    },
    /// Replace a key by a new one of the same label; the old one goes on decrypting. The user, by COLOA_CONF
    Rotate {
        /// The token's label
        #[arg(long, value_name = "LABEL")]
        token: String,
        /// The key's id, label or check value
        #[arg(long, value_name = "KEY")]
        key: String,
        /// Why, for the log
        #[arg(long, default_value = "rotation")]
        reason: String,
        #[command(flatten)]
        user: UserPin,
    },
}

/// One key.
#[derive(Args)]
pub struct Chosen {
    /// The partition's label or id
    #[arg(long, value_name = "LABEL|ID")]
    pub partition: String,
    /// The key's id, label or check value
    #[arg(long, value_name = "KEY")]
    pub key: String,
}

/// What is done to one key, and why.
#[derive(Args)]
pub struct Act {
    #[command(flatten)]
    pub chosen: Chosen,
    /// Why, for the log; at most 200 bytes
    #[arg(long)]
    pub reason: String,
}

/// What people say of a key.
#[derive(Args)]
pub struct Said {
    /// Whose it is
    #[arg(long)]
    pub organ: Option<String>,
    /// Where it is used
    #[arg(long)]
    pub site: Option<String>,
    /// What for
    #[arg(long)]
    pub purpose: Option<String>,
    /// Who answers for it
    #[arg(long)]
    pub owner: Option<String>,
    /// 0 none, 1 Mật, 2 Tối mật, 3 Tuyệt mật; only rises
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=3))]
    pub classification: Option<u8>,
    /// Days from its activation in which it protects; only becomes less
    #[arg(long, value_name = "DAYS")]
    pub crypto_period: Option<u32>,
    /// How often it protects at most; only becomes less
    #[arg(long, value_name = "NUMBER")]
    pub max_uses: Option<u64>,
}
