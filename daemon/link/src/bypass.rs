//! Bypass: for a limited time some sites may send in clear what policy lets them say, where they have no SA, because a quorum
//! has ordered it (R27).
//!
//! The signed policy names who may order it, how many of them it takes and for how long at most; without that there is no
//! bypass, and no local file brings one about (R37). An order adds nothing to what the policy permits: it takes away only the
//! need for an SA. In clear a packet travels behind a non-ESP marker (RFC 3948 §2.2) and a word that says what it is.
//!
//! Encoding as in [`crate::bundle`]: deterministic CBOR, what does not re-encode to itself is refused.

use crate::bundle::{Filter, Identity, MAX_FILTERS};
use crate::drops::DropReason;
use crate::ip::{self, Selector};
use crate::policy::lets_pass;
use alloc::string::String;
use alloc::vec::Vec;
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

/// Ahead of each packet that travels in clear.
pub const MARK: [u8; 8] = *b"\0\0\0\0CLR1";
/// The layout described here.
pub const VERSION: u8 = 1;
/// Custodians that a policy may name.
pub const MAX_CUSTODIANS: usize = 16;
/// No quorum is smaller.
pub const LEAST_THRESHOLD: u8 = 2;
/// No order is longer, in seconds: a day.
pub const MOST_SECONDS: u32 = 86_400;
/// Sites that one order may name.
pub const MAX_SITES: usize = 256;
/// Octets of its reason.
pub const MAX_REASON: usize = 512;

/// Who may order a bypass: part of the signed policy.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Custodians {
    /// How many of them an order takes.
    #[n(0)]
    pub threshold: u8,
    /// SHA-256 of the DER SubjectPublicKeyInfo of each, in order.
    #[n(1)]
    pub keys: Vec<ByteArray<32>>,
    /// For how long at most.
    #[n(2)]
    pub most_seconds: u32,
}

impl Custodians {
    /// Whether this makes a quorum that can be met.
    pub fn is_sound(&self) -> bool {
        let enough = usize::from(self.threshold) <= self.keys.len() && self.keys.len() <= MAX_CUSTODIANS;
        let ordered = self.keys.is_sorted_by(|left, right| left[..] < right[..]);
        enough && ordered && self.threshold >= LEAST_THRESHOLD && (60..=MOST_SECONDS).contains(&self.most_seconds)
    }
}

/// What a quorum orders. Not yet in force: see [`Order::judge`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Order {
    /// [`VERSION`].
    #[n(0)]
    pub version: u8,
    /// Only rises: an order is used once.
    #[n(1)]
    pub serial: u64,
    /// Between any two of these sites, in order.
    #[n(2)]
    pub sites: Vec<ByteArray<32>>,
    /// What may pass, in either direction; empty means all that the policy permits.
    #[n(3)]
    pub filters: Vec<Filter>,
    /// First second, since 1970.
    #[n(4)]
    pub from: u64,
    /// The second in which it ends.
    #[n(5)]
    pub until: u64,
    /// Why, for the people who will ask.
    #[n(6)]
    pub reason: String,
}

/// Why an order is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderRefused {
    /// Not the CBOR described here, or something in it is out of bounds.
    Malformed,
    /// The policy names nobody who may order a bypass.
    NotProvided,
    /// Too few of those whom the policy names have signed.
    TooFew {
        /// Who counted.
        signed: usize,
        /// Who are needed.
        needed: u8,
    },
    /// It is for longer than the policy allows.
    TooLong,
    /// It does not name this site.
    OtherSites,
    /// Its time has not come.
    Early,
    /// Its time is over.
    Over,
    /// It, or a later one, was used before.
    Used,
}

impl core::fmt::Display for OrderRefused {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Malformed => f.write_str("it is no bypass order of this format"),
            Self::NotProvided => f.write_str("the signed policy names nobody who may order a bypass"),
            Self::TooFew { signed, needed } => {
                write!(f, "{signed} of those whom the signed policy names have signed it, {needed} are needed")
            }
            Self::TooLong => f.write_str("it is for longer than the signed policy allows"),
            Self::OtherSites => f.write_str("it does not name this site"),
            Self::Early => f.write_str("its time has not come"),
            Self::Over => f.write_str("its time is over"),
            Self::Used => f.write_str("it, or a later one, was used before: each order is used once"),
        }
    }
}

impl core::error::Error for OrderRefused {}

impl Order {
    /// Parses and checks octets, whoever signed them.
    pub fn parse(octets: &[u8]) -> Result<Self, OrderRefused> {
        let order: Self = minicbor::decode(octets).map_err(|_| OrderRefused::Malformed)?;
        if order.is_sound() && order.to_bytes() == octets { Ok(order) } else { Err(OrderRefused::Malformed) }
    }

    /// The deterministic encoding: what gets signed. Writing to memory cannot fail.
    pub fn to_bytes(&self) -> Vec<u8> {
        minicbor::to_vec(self).unwrap_or_default()
    }

    /// Whether everything in it is within bounds.
    pub fn is_sound(&self) -> bool {
        let range =
            |filter: &Filter| filter.a_ports.iter().chain(&filter.b_ports).all(|range| range.first <= range.last);
        self.version == VERSION
            && (2..=MAX_SITES).contains(&self.sites.len())
            && self.sites.is_sorted_by(|left, right| left[..] < right[..])
            && self.filters.len() <= MAX_FILTERS
            && self.filters.iter().all(range)
            && self.from < self.until
            && self.until.saturating_sub(self.from) <= u64::from(MOST_SECONDS)
            && (1..=MAX_REASON).contains(&self.reason.len())
            && !self.reason.chars().any(char::is_control)
    }

    /// Whether it holds for the site `us` at `now`, signed by `signers`: those whose signature was verified, by key. `used`: the
    /// serial of the last order that was followed here.
    pub fn judge(
        &self,
        policy: Option<&Custodians>,
        signers: &[Identity],
        us: &Identity,
        (now, used): (u64, Option<u64>),
    ) -> Result<(), OrderRefused> {
        let policy = policy.filter(|policy| policy.is_sound()).ok_or(OrderRefused::NotProvided)?;
        // By key, so that nobody counts twice.
        let signed = policy.keys.iter().filter(|key| signers.iter().any(|signer| signer[..] == key[..])).count();
        if signed < usize::from(policy.threshold) {
            return Err(OrderRefused::TooFew { signed, needed: policy.threshold });
        }
        if self.until.saturating_sub(self.from) > u64::from(policy.most_seconds) {
            return Err(OrderRefused::TooLong);
        }
        if !self.names(us) {
            return Err(OrderRefused::OtherSites);
        }
        match used {
            Some(used) if self.serial <= used => Err(OrderRefused::Used),
            _ => self.is_time(now),
        }
    }

    /// Whether its time has come and is not over.
    pub fn is_time(&self, now: u64) -> Result<(), OrderRefused> {
        match (now < self.from, now >= self.until) {
            (true, _) => Err(OrderRefused::Early),
            (_, true) => Err(OrderRefused::Over),
            _ => Ok(()),
        }
    }

    /// Whether it names this site.
    pub fn names(&self, site: &Identity) -> bool {
        self.sites.iter().any(|named| named[..] == site[..])
    }
}

/// The datagram that carries a packet in clear, at the start of `out`; its length.
pub fn wrap(packet: &[u8], out: &mut [u8]) -> Result<usize, DropReason> {
    let len = packet.len().saturating_add(MARK.len());
    let (mark, body) =
        out.get_mut(..len).and_then(|out| out.split_at_mut_checked(MARK.len())).ok_or(DropReason::BufferTooSmall)?;
    mark.copy_from_slice(&MARK);
    body.copy_from_slice(packet);
    Ok(len)
}

/// The length of the packet in a datagram that came in clear, behind [`MARK`], and its fields. Nothing about it is authentic.
pub fn unwrap(datagram: &[u8]) -> Result<(usize, Selector), DropReason> {
    let packet = datagram.strip_prefix(&MARK).ok_or(DropReason::MalformedEsp)?;
    let version = packet.first().map(|first| first >> 4).filter(|version| matches!(version, 4 | 6));
    let len = version.and_then(|version| ip::packet_len(packet, version)).ok_or(DropReason::MalformedIp)?;
    let selector = Selector::parse(packet.get(..len).unwrap_or_default()).ok_or(DropReason::MalformedIp)?;
    Ok((len, selector))
}

/// Whether these filters of an order let a packet pass: a port at either end.
pub fn permits(filters: &[Filter], selector: &Selector) -> Result<(), DropReason> {
    let passes = lets_pass(filters, selector, true) || lets_pass(filters, selector, false);
    if passes { Ok(()) } else { Err(DropReason::NoSa) }
}
