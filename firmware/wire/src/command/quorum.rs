//! Commands about custodians, and about acts that need a quorum of them (R2).
//!
//! Such an act is proposed, read by custodians as exact bytes ([`QuorumText`]), voted for with signatures over them, and
//! executed once. A custodian needs no channel: an administrator brings the vote, and its signature is what counts.

use super::encode_head;
use crate::id::{ObjectId, PartitionId, RequestId};
use alloc::string::String;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// Custodians at most.
pub const MAX_CUSTODIANS: usize = 16;
/// Bytes of a custodian's public key: an uncompressed point on P-384 (SEC 1 §2.3.3).
pub const CUSTODIAN_KEY: usize = 97;
/// Bytes of a reason at most.
pub const MAX_QUORUM_REASON: usize = 256;
/// A proposal lives so many seconds at least, and at most.
pub const QUORUM_SECONDS: core::ops::RangeInclusive<u32> = 60..=30 * 86_400;

/// Someone without whose voice the quorum counts one less.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Custodian {
    /// At most 64 bytes of UTF-8; unique.
    #[n(0)]
    pub name: String,
    /// ECDSA on P-384: [`CUSTODIAN_KEY`] bytes.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub key: Vec<u8>,
}

/// Who the custodians are. Open to everybody who reaches the device.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct CustodiansRead {}

/// See [`CustodiansRead`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct CustodiansReadReply {
    /// How many of them are a quorum; 0 while there are none, and an administrator acts alone.
    #[n(0)]
    pub threshold: u32,
    /// In their order.
    #[n(1)]
    pub custodians: Vec<Custodian>,
}

/// Names the custodians; needs a quorum of those there are, if there are any. Open proposals end with it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct CustodiansSet {
    /// At least 2, at most as many as there are.
    #[n(0)]
    pub threshold: u32,
    /// At most [`MAX_CUSTODIANS`], with different names and keys.
    #[n(1)]
    pub custodians: Vec<Custodian>,
}

/// Proposes an act that needs a quorum.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct QuorumPropose {
    /// The act's command number.
    #[n(0)]
    pub code: u16,
    /// Its head.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub head: Vec<u8>,
    /// Why, for those who are asked: at most [`MAX_QUORUM_REASON`] bytes of UTF-8.
    #[n(2)]
    pub reason: String,
    /// How long it may be voted for and executed: [`QUORUM_SECONDS`].
    #[n(3)]
    pub seconds: u32,
}

/// See [`QuorumPropose`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct QuorumProposeReply {
    /// The proposal.
    #[n(0)]
    pub id: RequestId,
}

/// The proposals there are.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct QuorumList {}

/// See [`QuorumList`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct QuorumListReply {
    /// The oldest first.
    #[n(0)]
    pub proposals: Vec<Proposal>,
    /// How many voices are a quorum.
    #[n(1)]
    pub threshold: u32,
}

/// An act that was proposed, and what custodians said.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Proposal {
    /// What custodians sign.
    #[n(0)]
    pub text: QuorumText,
    /// Names of those who approve.
    #[n(1)]
    pub approvals: Vec<String>,
    /// Names of those who reject.
    #[n(2)]
    pub rejections: Vec<String>,
    /// Its time is over: it can only be withdrawn.
    #[n(3)]
    pub expired: bool,
}

/// The exact text of a proposal. Its deterministic encoding, with the voice, is what is signed.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct QuorumText {
    /// The device's serial number: an approval is for one device.
    #[n(0)]
    pub serial: String,
    /// The proposal.
    #[n(1)]
    pub id: RequestId,
    /// The act's command number.
    #[n(2)]
    pub code: u16,
    /// The act's head.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub head: Vec<u8>,
    /// What the act is about, by the name it had when it was proposed.
    #[n(4)]
    pub subject: String,
    /// Why.
    #[n(5)]
    pub reason: String,
    /// Who proposed it.
    #[n(6)]
    pub proposer: String,
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    #[n(7)]
    pub proposed: u64,
    /// Until when.
    #[n(8)]
    pub expires: u64,
    /// Which set of custodians is asked: it counts up with every new one.
    #[n(9)]
    pub set: u64,
}

/// A custodian's voice.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Voice {
    /// For.
    #[n(0)]
    Approve,
    /// Against.
    #[n(1)]
    Reject,
}

/// Separates these signatures from all others.
const DOMAIN: &[u8] = b"coloa quorum 1";

impl QuorumText {
    /// The bytes that a custodian signs, by ECDSA with SHA-384: a domain, the voice, the text.
    pub fn signed(&self, voice: Voice) -> Vec<u8> {
        let mut out = DOMAIN.to_vec();
        out.push(0);
        encode_head(&voice, &mut out);
        encode_head(self, &mut out);
        out
    }
}

/// Brings a custodian's voice.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct QuorumVote {
    /// The proposal.
    #[n(0)]
    pub id: RequestId,
    /// Whose.
    #[n(1)]
    pub custodian: String,
    /// Which.
    #[n(2)]
    pub voice: Voice,
    /// Over [`QuorumText::signed`]: `r ‖ s`, 96 bytes.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub signature: Vec<u8>,
}

/// See [`QuorumVote`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct QuorumVoteReply {
    /// How many approve now.
    #[n(0)]
    pub approvals: u32,
    /// How many are a quorum.
    #[n(1)]
    pub threshold: u32,
    /// So many reject that there can be no quorum any more: the proposal is gone.
    #[n(2)]
    pub rejected: bool,
}

/// Executes a proposal that a quorum approves, once.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct QuorumExecute {
    /// The proposal.
    #[n(0)]
    pub id: RequestId,
}

/// See [`QuorumExecute`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct QuorumExecuteReply {
    /// The head of what the act answered.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub head: Vec<u8>,
}

/// Takes a proposal back.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct QuorumWithdraw {
    /// The proposal.
    #[n(0)]
    pub id: RequestId,
}

/// Marks a stored wrapping key as trusted (`CKA_TRUSTED`), so that strict keys may leave under it (R2, R9). Where there are
/// custodians it takes a quorum of them, and the security officer can only take the mark back.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct KeyTrust {
    /// Where the key is.
    #[n(0)]
    pub partition: PartitionId,
    /// The key: a secret or a public one.
    #[n(1)]
    pub object: ObjectId,
}
