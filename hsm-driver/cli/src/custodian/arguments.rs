//! The command line of whoever signs with a custodian's key.

use crate::arguments::{Passphrase, UserPin};
use clap::Args;
use std::path::PathBuf;

/// A custodian's key: in a file or in a token.
#[derive(Args)]
pub struct Signer {
    /// The custodian's key, as `coloa custodian new` made it
    #[arg(long, value_name = "FILE", required_unless_present = "module", conflicts_with = "module")]
    pub key: Option<PathBuf>,
    #[command(flatten)]
    pub passphrase: Passphrase,
    #[command(flatten)]
    pub token: TokenKey,
}

/// A custodian who votes.
#[derive(Args)]
pub struct SignedBy {
    /// The custodian's name
    #[arg(long, value_name = "NAME")]
    pub custodian: String,
    /// Against it
    #[arg(long)]
    pub reject: bool,
    /// Type "approve" or "reject" here instead of at the prompt
    #[arg(long, value_name = "WORD")]
    pub confirm: Option<String>,
    #[command(flatten)]
    pub by: Signer,
}

/// A custodian's key in a token.
#[derive(Args, Clone)]
pub struct TokenKey {
    /// PKCS#11 module of the token with the custodian's key
    #[arg(long, value_name = "FILE", requires_all = ["token", "label"])]
    pub module: Option<PathBuf>,
    /// The token's label
    #[arg(long, value_name = "LABEL", requires = "module")]
    pub token: Option<String>,
    /// The key's label
    #[arg(long, value_name = "LABEL", requires = "module")]
    pub label: Option<String>,
    #[command(flatten)]
    pub user: UserPin,
}
