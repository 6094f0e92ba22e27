//! What the two ends of a link say to each other about their path, inside authenticated dummy packets (RFC 4303 §2.6): to
//! every other implementation they are cover traffic that it drops.
//!
//! ```text
//! 0      4      5    8          24             26                  42
//! | clp1 | kind | 0  | token 16 | port of the  | address of the    | padding of a probe
//! |      |      |    |          | other end as the sender sees it  |
//! ```
//! An IPv4 address is written as its IPv4-mapped form. Another layout is another first word.

use core::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Octets of a message without padding.
pub const LEN: usize = 42;

const MAGIC: &[u8; 4] = b"clp1";

/// Unpredictable, drawn anew for each challenge and probe: an answer shows that its sender has received it.
pub type Token = [u8; 16];

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Asks whether the peer is reachable at the address that this is sent to.
    Challenge,
    /// Answers a challenge, from where it arrived.
    Response,
    /// Asks whether a datagram of this size arrives; without padding, whether anything does.
    Probe,
    /// Answers a probe.
    ProbeAck,
}

impl Kind {
    const ALL: [(u8, Self); 4] = [(1, Self::Challenge), (2, Self::Response), (3, Self::Probe), (4, Self::ProbeAck)];

    fn number(self) -> u8 {
        match self {
            Self::Challenge => 1,
            Self::Response => 2,
            Self::Probe => 3,
            Self::ProbeAck => 4,
        }
    }
}

/// One message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// What it is.
    pub kind: Kind,
    /// Of the challenge or probe, in its answer as well.
    pub token: Token,
    /// Where it is sent: so an end learns its own address as the other sees it, and with it that there is a NAT.
    pub seen: SocketAddr,
}

impl Message {
    /// Reads the payload of a dummy packet. `None`: only cover traffic, or the message of another version.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let (magic, rest) = payload.split_first_chunk::<4>()?;
        let (&[number, 0, 0, 0], rest) = rest.split_first_chunk::<4>()? else { return None };
        let (token, rest) = rest.split_first_chunk::<16>()?;
        let (port, rest) = rest.split_first_chunk::<2>()?;
        let address = rest.first_chunk::<16>()?;
        let (_, kind) = Kind::ALL.into_iter().find(|(known, _)| *known == number)?;
        let seen = SocketAddr::new(Ipv6Addr::from(*address).to_canonical(), u16::from_be_bytes(*port));
        (magic == MAGIC).then_some(Self { kind, token: *token, seen })
    }

    /// As it lies in a dummy packet.
    pub fn encode(&self) -> [u8; LEN] {
        let address = match self.seen.ip() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        let head = MAGIC.iter().copied().chain([self.kind.number(), 0, 0, 0]);
        let tail = self.seen.port().to_be_bytes().into_iter().chain(address.octets());
        let mut out = [0; LEN];
        for (to, from) in out.iter_mut().zip(head.chain(self.token).chain(tail)) {
            *to = from;
        }
        out
    }
}
