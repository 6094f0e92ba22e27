//! What an administrator asks of the appliance itself, on its local socket: the channel certificates and the service around
//! the engine. The frames are those of every command; the numbers start at [`FIRST`], where the engine has none.

mod status;

use crate::{Identity, PartitionId};
use alloc::string::String;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};
pub use status::{PartitionFigures, ServiceStatus, ServiceStatusReply};

/// The first number of these commands.
pub const FIRST: u16 = 0x8000;

/// A request to the appliance, with its number and the reply that belongs to it.
pub trait AdminCommand: Encode<()> + for<'b> Decode<'b, ()> {
    /// Its number in a call frame.
    const CODE: u16;
    /// What the appliance answers.
    type Reply: Encode<()> + for<'b> Decode<'b, ()>;
}

impl AdminCommand for ServiceInfo {
    const CODE: u16 = 0x8001;
    type Reply = ServiceInfoReply;
}

impl AdminCommand for ClientEnrol {
    const CODE: u16 = 0x8002;
    type Reply = ClientEnrolReply;
}

impl AdminCommand for AuditorEnrol {
    const CODE: u16 = 0x8004;
    type Reply = ClientEnrolReply;
}

impl AdminCommand for ClientList {
    const CODE: u16 = 0x8003;
    type Reply = ClientListReply;
}

/// How the appliance can be reached, and by how many it is.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct ServiceInfo {}

/// See [`ServiceInfo`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct ServiceInfoReply {
    /// Version of the appliance's software.
    #[n(0)]
    pub version: String,
    /// The address that is open for TLS; `None` while it is closed.
    #[n(1)]
    pub listening: Option<String>,
    /// Why it is closed though the device is initialised.
    #[n(2)]
    pub trouble: Option<String>,
    /// The names in the appliance's certificate.
    #[n(3)]
    pub server_names: Vec<String>,
    /// Channels that are open.
    #[n(4)]
    pub channels: u32,
    /// When the appliance's certificate ends, in seconds since 1970-01-01T00:00:00Z.
    #[n(5)]
    pub certificate_ends: Option<u64>,
}

/// Certifies a client's key and binds the certificate to a partition (R22).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct ClientEnrol {
    /// Which partition the client shall see.
    #[n(0)]
    pub partition: PartitionId,
    /// The certificate's subject and the name in lists and logs: at most 64 bytes of UTF-8.
    #[n(1)]
    pub name: String,
    /// A PKCS#10 request, DER: only its public key is taken from it.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub request: Vec<u8>,
    /// How long the certificate is valid.
    #[n(3)]
    pub days: u32,
    /// From when, in seconds since 1970-01-01T00:00:00Z; `None` is now.
    #[n(4)]
    pub valid_from: Option<u64>,
}

/// Certifies an auditor's key and names the certificate's holder an auditor of the device (R1).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct AuditorEnrol {
    /// The certificate's subject and the name in lists and logs: at most 64 bytes of UTF-8.
    #[n(0)]
    pub name: String,
    /// A PKCS#10 request, DER: only its public key is taken from it.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub request: Vec<u8>,
    /// How long the certificate is valid.
    #[n(2)]
    pub days: u32,
}

/// See [`ClientEnrol`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct ClientEnrolReply {
    /// The client's certificate, DER.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub certificate: Vec<u8>,
    /// The channel CA's certificate, DER.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub ca: Vec<u8>,
    /// SHA-256 of the client's certificate.
    #[n(2)]
    pub identity: Identity,
    /// Where the appliance listens.
    #[n(3)]
    pub address: String,
    /// A name in the appliance's certificate.
    #[n(4)]
    pub server_name: String,
}

/// The clients that are bound to partitions.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct ClientList {}

/// See [`ClientList`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct ClientListReply {
    /// In the order of the partitions.
    #[n(0)]
    pub clients: Vec<BoundClient>,
}

/// A client of a [`ClientListReply`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct BoundClient {
    /// The partition it may see.
    #[n(0)]
    pub partition: PartitionId,
    /// SHA-256 of its certificate.
    #[n(1)]
    pub identity: Identity,
    /// Its name.
    #[n(2)]
    pub name: String,
    /// Channels it has open.
    #[n(3)]
    pub channels: u32,
}
