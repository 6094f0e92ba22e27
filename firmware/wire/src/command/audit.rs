//! Commands about what the device vouches for: its certificates, signed checkpoints of the audit log (R17), what it knows of a
//! key, and who may read all and use nothing (R1).

use super::encode_head;
use crate::command::PartitionMode;
use crate::{Identity, ObjectId, PartitionId};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use minicbor::{Decode, Encode};

/// Bytes of a nonce at most.
pub const MAX_NONCE: usize = 64;
/// Auditors at most.
pub const MAX_AUDITORS: usize = 64;

/// The certificates of the device's signing keys. Open to everybody who reaches the device.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct DeviceCertificates {}

/// See [`DeviceCertificates`]: X.509, each on P-384.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct DeviceCertificatesReply {
    /// The device's identity, signed by itself. Whoever trusts it got it at the ceremony.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub device: Vec<u8>,
    /// Signs checkpoints; signed by the identity.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub audit: Vec<u8>,
    /// Signs what the device knows of keys; signed by the identity.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub attestation: Vec<u8>,
}

/// Bytes of an [`AuditNote::subject`] at most.
pub const MAX_NOTE: usize = 64;

/// Puts a digest into the audit log: what has it was there before the next checkpoint was signed (R17). Only an administrator's,
/// and a record like any other: it says who noted it, and vouches for nothing else.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct AuditNote {
    /// What it is a digest of, for people: 1 to [`MAX_NOTE`] bytes of UTF-8.
    #[n(0)]
    pub subject: String,
    /// SHA-256.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub digest: [u8; 32],
}

impl AuditNote {
    /// What the log says of it: the subject, a space, the digest in lower-case hexadecimal.
    pub fn detail(&self) -> String {
        let mut said = self.subject.clone();
        said.push(' ');
        for byte in self.digest {
            // Writing to a `String` cannot fail.
            let _ = write!(said, "{byte:02x}");
        }
        said
    }
}

/// The present end of the audit log, signed.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct AuditCheckpoint {}

/// See [`AuditCheckpoint`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct SignedCheckpoint {
    /// What is signed.
    #[n(0)]
    pub text: CheckpointText,
    /// Over [`CheckpointText::signed`], ECDSA on P-384 with SHA-384: `r ‖ s`, 96 bytes.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub signature: Vec<u8>,
}

/// Where the audit log ended.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct CheckpointText {
    /// The device's serial number.
    #[n(0)]
    pub serial: String,
    /// Number of the last record.
    #[n(1)]
    pub number: u64,
    /// Its SHA-256.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub digest: [u8; 32],
    /// When it was signed, in milliseconds since 1970-01-01T00:00:00Z.
    #[n(3)]
    pub time: u64,
    /// How many batches the store had committed, ever.
    #[n(4)]
    pub generation: u64,
}

impl CheckpointText {
    /// The bytes that are signed: a domain, the text.
    pub fn signed(&self) -> Vec<u8> {
        let mut out = b"coloa checkpoint 1\0".to_vec();
        encode_head(self, &mut out);
        out
    }
}

/// The device says what it knows of a key that the session sees.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct KeyAttest {
    /// Which key.
    #[n(0)]
    pub object: ObjectId,
    /// Who asks may bind the answer to the question: at most [`MAX_NONCE`] bytes.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub nonce: Vec<u8>,
}

/// See [`KeyAttest`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct KeyAttestReply {
    /// The encoding of a [`KeyStatement`].
    #[cbor(n(0), with = "minicbor::bytes")]
    pub statement: Vec<u8>,
    /// Over [`statement_signed`], ECDSA on P-384 with SHA-384: `r ‖ s`, 96 bytes.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub signature: Vec<u8>,
    /// Of a key pair: a certificate of its public key that holds the statement.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub certificate: Option<Vec<u8>>,
}

/// The bytes that are signed of a statement: a domain, the statement.
pub fn statement_signed(statement: &[u8]) -> Vec<u8> {
    [b"coloa key statement 1\0", statement].concat()
}

/// The certificate extension that holds a [`KeyStatement`] in an OCTET STRING, as a DER object identifier: 2.25 (a UUID of our
/// own, X.667), 1.
pub const STATEMENT_EXTENSION: &[u8] = &[
    0x06, 0x15, 0x69, 0x81, 0xee, 0xf1, 0x92, 0x8d, 0xf9, 0x86, 0x8a, 0xaa, 0xa7, 0xad, 0xd8, 0xa0, 0xef, 0xce, 0xa8,
    0x98, 0x80, 0x0e, 0x01,
];

/// What a device knows of a key.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct KeyStatement {
    /// The device's serial number.
    #[n(0)]
    pub serial: String,
    /// Version of the engine.
    #[n(1)]
    pub version: String,
    /// When, in milliseconds since 1970; absent on a body whose clock was never set.
    #[n(2)]
    pub time: Option<u64>,
    /// The question's.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub nonce: Vec<u8>,
    /// The partition.
    #[n(4)]
    pub partition: PartitionId,
    /// Its label.
    #[n(5)]
    pub partition_label: String,
    /// Its rules.
    #[n(6)]
    pub mode: PartitionMode,
    /// The key.
    #[n(7)]
    pub object: ObjectId,
    /// `CKA_CLASS`.
    #[n(8)]
    pub class: u64,
    /// `CKA_KEY_TYPE`.
    #[n(9)]
    pub key_type: u64,
    /// `CKA_KEY_GEN_MECHANISM`, of a key that was drawn here.
    #[n(10)]
    pub mechanism: Option<u64>,
    /// The attributes that are `CK_TRUE`, by their PKCS#11 numbers, of those in [`ATTESTED_FLAGS`].
    #[n(11)]
    pub flags: Vec<u32>,
    /// SubjectPublicKeyInfo of a pair.
    #[cbor(n(12), with = "minicbor::bytes")]
    pub public: Option<Vec<u8>>,
    /// What runs; absent where a body cannot measure itself.
    #[n(13)]
    pub image: Option<ImageStatement>,
}

/// Which image a device runs, as it measured it when it started (R5). It is the image that says so: whoever can put another one
/// in its place can have that one tell what it likes, unless something beneath it measures too.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct ImageStatement {
    /// SHA-384 of it: of an appliance's executable, of a board's flash.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub digest: [u8; 48],
    /// Whether a digest was recorded when it was installed; it is then this one, or nothing is served.
    #[n(1)]
    pub is_recorded: bool,
}

/// The attributes that a statement tells of.
pub const ATTESTED_FLAGS: &[crate::AttributeType] = {
    use crate::AttributeType as A;
    &[
        A::LOCAL,
        A::TOKEN,
        A::PRIVATE,
        A::SENSITIVE,
        A::ALWAYS_SENSITIVE,
        A::EXTRACTABLE,
        A::NEVER_EXTRACTABLE,
        A::WRAP_WITH_TRUSTED,
        A::TRUSTED,
        A::ALWAYS_AUTHENTICATE,
        A::SIGN,
        A::VERIFY,
        A::ENCRYPT,
        A::DECRYPT,
        A::WRAP,
        A::UNWRAP,
        A::DERIVE,
        A::ENCAPSULATE,
        A::DECAPSULATE,
    ]
};

/// Lets the holder of a client certificate read everything and use nothing.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct AuditorAdd {
    /// SHA-256 of the certificate; it must be bound to no partition.
    #[n(0)]
    pub identity: Identity,
    /// A name for logs and lists, at most 64 bytes of UTF-8.
    #[n(1)]
    pub name: String,
}

/// Takes that right back.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct AuditorRemove {
    /// SHA-256 of the certificate.
    #[n(0)]
    pub identity: Identity,
}

/// The auditors there are.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct AuditorList {}

/// See [`AuditorList`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct AuditorListReply {
    /// In the order they came.
    #[n(0)]
    pub auditors: Vec<AuditorAdd>,
}
