//! UDP encapsulation of ESP (RFC 3948): what kind of datagram is this?

use crate::drops::DropReason;
use crate::esp::Spi;

/// The port that RFC 3948 assigns.
pub const UDP_PORT: u16 = 4500;
/// A UDP datagram that begins with this is not ESP (RFC 3948 §2.2).
pub const NON_ESP_MARKER: [u8; 4] = [0; 4];
/// The one octet of a NAT keepalive (RFC 3948 §2.3).
pub const KEEPALIVE: [u8; 1] = [0xff];

/// A datagram on the encapsulation port, told apart by its first octets only. Nothing about it is authenticated yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Datagram<'a> {
    /// ESP for the SA with this SPI.
    Esp(Spi),
    /// A NAT keepalive: ignore it.
    Keepalive,
    /// What follows a non-ESP marker.
    NonEsp(&'a [u8]),
}

impl<'a> Datagram<'a> {
    /// Tells the kinds apart (RFC 3948 §2).
    pub fn parse(datagram: &'a [u8]) -> Result<Self, DropReason> {
        if datagram == KEEPALIVE {
            return Ok(Self::Keepalive);
        }
        let (first, rest) = datagram.split_first_chunk::<4>().ok_or(DropReason::MalformedEsp)?;
        if *first == NON_ESP_MARKER {
            return Ok(Self::NonEsp(rest));
        }
        Spi::new(u32::from_be_bytes(*first)).map(Self::Esp).ok_or(DropReason::UnknownSpi)
    }
}
