//! What `coloa partition` takes.

use crate::arguments::{SoPin, UserPin};
use clap::{Args, Subcommand, ValueEnum};
use coloa_wire::command::PartitionMode;

#[derive(Subcommand)]
pub enum Partition {
    /// Make a partition and set its PINs
    Create(PartitionCreate),
    /// List the partitions
    List,
    /// Set quotas, mechanisms and what PINs must be; what is not given stays as it is
    Set(PartitionSet),
    /// Refuse all use of a partition at once; its keys stay
    Suspend(OnePartition),
    /// Let a suspended partition go on
    Resume(OnePartition),
    /// Show what partitions have used, and what they may
    Usage {
        /// Only the one with this label or id
        #[arg(long, value_name = "LABEL|ID")]
        partition: Option<String>,
    },
    /// Destroy a partition with every key in it
    Destroy {
        /// Its label or id
        #[arg(long, value_name = "LABEL|ID")]
        partition: String,
        /// Type the label here instead of at the prompt
        #[arg(long, value_name = "LABEL")]
        confirm: Option<String>,
    },
}

#[derive(Args)]
pub struct PartitionCreate {
    /// The token's label, at most 32 bytes
    #[arg(long)]
    pub label: String,
    /// Its rules, for life
    #[arg(long, value_enum, default_value = "strict")]
    pub mode: Mode,
    /// Serve approved services only (SP 800-131A), for life; MECHANISMS.md names them
    #[arg(long)]
    pub approved_only: bool,
    /// Set no PIN: the organ initialises its token itself (C_InitToken)
    #[arg(long)]
    pub without_pins: bool,
    #[command(flatten)]
    pub so: SoPin,
    #[command(flatten)]
    pub user: UserPin,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Mode {
    /// One purpose a key, IVs made by the engine
    Strict,
    /// What old clients need; shown wherever the token is listed
    Compatible,
}

impl From<Mode> for PartitionMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Strict => PartitionMode::Strict,
            Mode::Compatible => PartitionMode::Compatible,
        }
    }
}

#[derive(Args)]
pub struct OnePartition {
    /// Its label or id
    #[arg(long, value_name = "LABEL|ID")]
    pub partition: String,
}

/// A bound, or `none`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bound<T>(pub Option<T>);

impl<T: std::str::FromStr> std::str::FromStr for Bound<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        if text == "none" { Ok(Bound(None)) } else { text.parse().map(|bound| Bound(Some(bound))) }
    }
}

#[derive(Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
pub struct PartitionSet {
    /// Its label or id
    #[arg(long, value_name = "LABEL|ID")]
    pub partition: String,
    /// Objects that it stores at most
    #[arg(long, group = "what", value_name = "N|none")]
    pub max_objects: Option<Bound<u64>>,
    /// Bytes that they take in the engine's memory at most
    #[arg(long, group = "what", value_name = "N|none")]
    pub max_bytes: Option<Bound<u64>>,
    /// Sessions that are open on it at most
    #[arg(long, group = "what", value_name = "N|none")]
    pub max_sessions: Option<Bound<u32>>,
    /// A mechanism that it still has, without CKM_; again for each, or all
    #[arg(long = "mechanism", group = "what", value_name = "NAME|all")]
    pub mechanisms: Vec<String>,
    /// Bytes of a new PIN at least
    #[arg(long, group = "what", value_name = "N|none")]
    pub pin_min: Option<Bound<u32>>,
    /// Bytes of a new PIN at most
    #[arg(long, group = "what", value_name = "N|none")]
    pub pin_max: Option<Bound<u32>>,
    /// Kinds of characters in a new PIN at least: lower-case letters, capitals, digits, others
    #[arg(long, group = "what", value_name = "N|none")]
    pub pin_classes: Option<Bound<u32>>,
    /// Wrong tries that lock a PIN
    #[arg(long, group = "what", value_name = "N|none")]
    pub pin_tries: Option<Bound<u32>>,
}
