//! The binary is replaced while the links live: a successor takes the SAs over, and no packet waits for a handshake.
//!
//! ```text
//! successor                                     predecessor
//!   reads its files, logs in to the token
//!   state_dir/handover.sock ──────────────────▶ greets: which program it is, and on what its sockets stand
//!   "take" ───────────────────────────────────▶ ends its sessions and its data plane, which moves its SAs out
//!   ◀─────────── header with TUN, UDP and TCP sockets (SCM_RIGHTS), a record for each peer, an empty record
//!   goes on                                     ends; with the end of the stream the successor knows it
//! ```
//! Until "take" nothing has happened: a successor that cannot start leaves its predecessor at work. After it the predecessor
//! seals nothing any more, whatever becomes of the successor: a link may be dark, never doubled or clear (R26, R28). Keys go
//! through a socket between two processes of one user, over no file. The successor has rights that the predecessor has given
//! up: therefore it is started beside it (`coloa-linkd upgrade`), not by it.

pub mod giving;
pub mod taking;
pub mod upgrade;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use coloa_link::handover::{InboundState, OutboundState, PathState};
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::daemon::inner_mtu;

/// What is handed over, and how.
const VERSION: u32 = 1;
/// The successor's word.
const TAKE: &[u8] = b"take";
/// How long one end may keep the other waiting for octets.
const PATIENCE: Duration = Duration::from_secs(5);
/// Octets of a record or a greeting at most: a peer has a few kilobytes.
const MAX_RECORD: usize = 1 << 20;

/// Where the predecessor listens.
pub fn socket(config: &Config) -> PathBuf {
    config.state_dir.join("handover.sock")
}

/// What the predecessor says of itself.
#[derive(Debug, Serialize, Deserialize)]
pub struct Greeting {
    /// [`VERSION`].
    pub version: u32,
    /// Its process.
    pub pid: u32,
    /// Device and inode of its program, where they can be known.
    pub program: Option<(u64, u64)>,
    /// Where systemd has put its credentials.
    pub credentials: Option<PathBuf>,
    /// On what its sockets stand.
    pub ground: Ground,
}

/// What cannot change at a handover, because the sockets that are handed over have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ground {
    red_namespace: Option<String>,
    red_name: String,
    red_addresses: Vec<String>,
    red_mtu: u16,
    black_namespace: Option<String>,
    black_listen: String,
}

impl Ground {
    /// Of this configuration.
    pub fn of(config: &Config) -> Self {
        Self {
            red_namespace: config.red.namespace.clone(),
            red_name: config.red.name.clone(),
            red_addresses: config.red.addresses.iter().map(|address| format!("{address:?}")).collect(),
            red_mtu: inner_mtu(config),
            black_namespace: config.black.namespace.clone(),
            black_listen: config.black.listen.to_string(),
        }
    }
}

/// Ahead of the records.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    version: u32,
    /// How old the predecessor's timeline is: the successor goes on with it.
    elapsed: Duration,
}

/// One peer's link.
#[derive(Encode, Decode)]
pub struct Inherited {
    /// Who it is.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub identity: [u8; 32],
    /// The newest epoch that was ever used with it.
    #[n(1)]
    pub newest: u64,
    /// The certificates that it showed: it is judged by them as long as its keys live (R31).
    #[n(2)]
    pub chain: Vec<ByteVec>,
    /// It showed them when it dialled.
    #[n(3)]
    pub dialled: bool,
    /// Its SAs.
    #[n(4)]
    pub halves: Halves,
}

/// What the data plane has of one peer.
#[derive(Encode, Decode)]
pub struct Halves {
    /// Sending.
    #[n(0)]
    pub outbound: OutboundState,
    /// Receiving.
    #[n(1)]
    pub inbound: InboundState,
    /// The way there.
    #[n(2)]
    pub path: PathState,
}

/// Device and inode of the program that a process runs, whatever lies at its name by now.
fn program_of(process: &str) -> Option<(u64, u64)> {
    let found = std::fs::metadata(Path::new("/proc").join(process).join("exe")).ok()?;
    Some((found.dev(), found.ino()))
}
