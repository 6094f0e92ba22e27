//! The first frame of a connection in each direction.

use alloc::string::String;
use minicbor::{Decode, Encode};

/// The version of this protocol. A peer with another major version is refused.
pub const PROTOCOL: u32 = 1;

/// A caller's greeting: frame kind [`crate::FrameKind::Hello`], request 0.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct ClientHello {
    /// [`PROTOCOL`].
    #[n(0)]
    pub protocol: u32,
    /// Feature bits the caller understands; none are defined yet.
    #[n(1)]
    pub features: u64,
    /// The longest frame the caller accepts, in bytes with the length field.
    #[n(2)]
    pub max_frame: u32,
    /// Name and version of the caller's software, for the log.
    #[n(3)]
    pub software: String,
}

/// The engine's answer.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct ServerHello {
    /// [`PROTOCOL`].
    #[n(0)]
    pub protocol: u32,
    /// Feature bits that both ends have.
    #[n(1)]
    pub features: u64,
    /// The longest frame the engine accepts, in bytes with the length field.
    #[n(2)]
    pub max_frame: u32,
    /// Name and version of the engine's software.
    #[n(3)]
    pub software: String,
    /// Which body the engine has.
    #[n(4)]
    pub body: Body,
    /// How many connections it answers at the same time, where it says so: quick calls gain nothing by more of them.
    #[n(5)]
    pub lanes: Option<u32>,
}

/// The engine's body (ARCHITECTURE "One engine, three bodies").
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Body {
    /// Behind TLS on Linux.
    #[n(0)]
    Appliance,
    /// On a microcontroller.
    #[n(1)]
    Board,
    /// In the caller's process; for development.
    #[n(2)]
    Embedded,
    /// A microcontroller under emulation, whose entropy is not random.
    #[n(3)]
    EmulatedBoard,
}
