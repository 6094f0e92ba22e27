//! What the two ends say to each other inside TLS, once per connection and then to show that they live.
//!
//! ```text
//! kind (1) ‖ body            Hello  1   newest epoch (8) ‖ policy serial (8) ‖ UDP port (2)
//!                            Busy   2   (the other connection of this pair goes first)
//!                            Ready  3   epoch (8): I receive on it
//!                            Alive  4   (the dialler says it, the other end answers with it)
//!                            Renew  5   (the sender wants a new epoch and cannot dial: dial it)
//!                            News   6   policy serial (8): the sender has this policy now
//!                            Want   7   policy serial (8) ‖ offset (4): send me the signed bundle from there
//!                            Piece  8   policy serial (8) ‖ total (4) ‖ offset (4) ‖ length (2) ‖ so many octets of it
//! ```
//! Big-endian, fixed lengths but for a piece's octets; another version of this is another ALPN name.

/// A message of the control channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// The first, from both ends: the epoch that follows is one above both.
    Hello {
        /// The newest epoch the sender has ever used with this peer.
        newest: u64,
        /// The serial of the sender's policy.
        serial: u64,
        /// Where the sender receives ESP.
        port: u16,
    },
    /// This connection is not wanted: the sender's own goes first.
    Busy,
    /// The sender receives on this epoch.
    Ready {
        /// The epoch.
        epoch: u64,
    },
    /// The sender lives.
    Alive,
    /// The sender wants a new epoch and has no address to dial.
    Renew,
    /// The sender's policy has changed.
    News {
        /// Its serial.
        serial: u64,
    },
    /// The sender asks for a signed policy.
    Want {
        /// Its serial.
        serial: u64,
        /// From where.
        offset: u32,
    },
    /// The answer; its octets follow.
    Piece(Piece),
}

/// What precedes the octets of a piece of policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The policy's serial, as the sender has it.
    pub serial: u64,
    /// Octets of the whole bundle.
    pub total: u32,
    /// Where these begin.
    pub offset: u32,
    /// How many follow, [`CHUNK`] at most.
    pub length: u16,
}

const HELLO: u8 = 1;
const BUSY: u8 = 2;
const READY: u8 = 3;
const ALIVE: u8 = 4;
const RENEW: u8 = 5;
const NEWS: u8 = 6;
const WANT: u8 = 7;
const PIECE: u8 = 8;

/// Octets of one piece of policy: with its head they fit one TLS record (RFC 8446 §5.1).
pub const CHUNK: usize = 16_000;

/// The longest body.
const MAX_BODY: usize = 18;

impl Message {
    /// Kind and body.
    pub fn encode(self) -> Vec<u8> {
        match self {
            Message::Hello { newest, serial, port } => {
                let (newest, serial, port) = (newest.to_be_bytes(), serial.to_be_bytes(), port.to_be_bytes());
                [&[HELLO], &newest[..], &serial[..], &port[..]].concat()
            }
            Message::Busy => vec![BUSY],
            Message::Ready { epoch } => [&[READY], &epoch.to_be_bytes()[..]].concat(),
            Message::Alive => vec![ALIVE],
            Message::Renew => vec![RENEW],
            Message::News { serial } => [&[NEWS], &serial.to_be_bytes()[..]].concat(),
            Message::Want { serial, offset } => [&[WANT], &serial.to_be_bytes()[..], &offset.to_be_bytes()].concat(),
            Message::Piece(Piece { serial, total, offset, length }) => {
                let (total, offset) = (total.to_be_bytes(), offset.to_be_bytes());
                [&[PIECE], &serial.to_be_bytes()[..], &total, &offset, &length.to_be_bytes()].concat()
            }
        }
    }

    /// Octets of the body that follows this kind; nothing for an unknown kind.
    pub fn body_len(kind: u8) -> Option<usize> {
        match kind {
            HELLO | PIECE => Some(MAX_BODY),
            READY | NEWS => Some(8),
            WANT => Some(12),
            BUSY | ALIVE | RENEW => Some(0),
            _ => None,
        }
    }

    /// The message of this kind with this body.
    pub fn parse(kind: u8, body: &[u8]) -> Option<Self> {
        match (kind, body) {
            (HELLO, body) => {
                let (newest, rest) = body.split_first_chunk()?;
                let (serial, port) = rest.split_first_chunk()?;
                let [newest, serial] = [newest, serial].map(|octets| u64::from_be_bytes(*octets));
                Some(Message::Hello { newest, serial, port: u16::from_be_bytes(port.try_into().ok()?) })
            }
            (READY, body) => Some(Message::Ready { epoch: u64::from_be_bytes(body.try_into().ok()?) }),
            (NEWS, body) => Some(Message::News { serial: u64::from_be_bytes(body.try_into().ok()?) }),
            (WANT, body) => {
                let (serial, offset) = body.split_first_chunk()?;
                let offset = u32::from_be_bytes(offset.try_into().ok()?);
                Some(Message::Want { serial: u64::from_be_bytes(*serial), offset })
            }
            (PIECE, body) => Piece::parse(body).map(Message::Piece),
            (BUSY, []) => Some(Message::Busy),
            (ALIVE, []) => Some(Message::Alive),
            (RENEW, []) => Some(Message::Renew),
            _ => None,
        }
    }
}

impl Piece {
    fn parse(body: &[u8]) -> Option<Self> {
        let (serial, rest) = body.split_first_chunk()?;
        let (total, rest) = rest.split_first_chunk()?;
        let (offset, length) = rest.split_first_chunk()?;
        let [total, offset] = [total, offset].map(|octets| u32::from_be_bytes(*octets));
        let length = u16::from_be_bytes(length.try_into().ok()?);
        let piece = Self { serial: u64::from_be_bytes(*serial), total, offset, length };
        (usize::from(length) <= CHUNK).then_some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back_as_they_were() {
        let hello = Message::Hello { newest: 7, serial: u64::MAX, port: 4500 };
        let ready = Message::Ready { epoch: 1 << 40 };
        let (news, want) = (Message::News { serial: 1 << 50 }, Message::Want { serial: 9, offset: 1 << 20 });
        let piece = Message::Piece(Piece { serial: 9, total: 70_000, offset: 32_000, length: 16_000 });
        for message in [hello, Message::Busy, ready, Message::Alive, Message::Renew, news, want, piece] {
            let octets = message.encode();
            let (kind, body) = octets.split_first().expect("a kind");
            assert_eq!(Message::body_len(*kind), Some(body.len()));
            assert_eq!(Message::parse(*kind, body), Some(message));
        }
    }

    #[test]
    fn what_is_cut_or_unknown_is_no_message() {
        assert_eq!(Message::parse(HELLO, &[0; 17]), None);
        assert_eq!(Message::parse(BUSY, &[0]), None);
        assert_eq!(Message::body_len(9), None);
        let long = Message::Piece(Piece { serial: 9, total: 70_000, offset: 0, length: 16_001 }).encode();
        assert_eq!(Message::parse(PIECE, &long[1..]), None, "no room is kept for more");
    }
}
