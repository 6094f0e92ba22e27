//! Questions about the quality of a link, inside authenticated dummy packets (RFC 4303 §2.6): one end asks, the other says how
//! much has come to it by now. Two answers, and what was sent in between, make loss and throughput; one makes latency.
//!
//! ```text
//! 0      4      5    8          24       32       40       48           56
//! | clm1 | kind | 0  | token 16 | sent 8 | came 8 | octets | microseconds |
//! ```
//! To a version that does not know it, it is cover traffic. An answer is no longer than a question.

/// Octets of a question or an answer.
pub const LEN: usize = 56;

const MAGIC: &[u8; 4] = b"clm1";
const ASK: u8 = 1;
const TALLY: u8 = 2;

/// Unpredictable, drawn anew for each question.
pub type Token = [u8; 16];

/// What has come through an SA by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Packets sent, as far as their numbers show.
    pub sent: u64,
    /// Packets that came.
    pub came: u64,
    /// Octets of the datagrams that came, since the link exists.
    pub octets: u64,
    /// When this was counted, by the counter's own clock.
    pub micros: u64,
}

/// One message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// How much has come?
    Ask(Token),
    /// So much.
    Tally(Token, Tally),
}

impl Measure {
    /// Reads the payload of a dummy packet.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let (magic, rest) = payload.split_first_chunk::<4>()?;
        let (&[kind, 0, 0, 0], rest) = rest.split_first_chunk::<4>()? else { return None };
        let (token, mut rest) = rest.split_first_chunk::<16>()?;
        let mut numbers = [0; 4];
        for number in &mut numbers {
            let (octets, after) = rest.split_first_chunk::<8>()?;
            (*number, rest) = (u64::from_be_bytes(*octets), after);
        }
        let [sent, came, octets, micros] = numbers;
        match kind {
            _ if magic != MAGIC => None,
            ASK => Some(Self::Ask(*token)),
            TALLY => Some(Self::Tally(*token, Tally { sent, came, octets, micros })),
            _ => None,
        }
    }

    /// As it lies in a dummy packet.
    pub fn encode(&self) -> [u8; LEN] {
        let (kind, token, tally) = match self {
            Self::Ask(token) => (ASK, token, Tally::default()),
            Self::Tally(token, tally) => (TALLY, token, *tally),
        };
        let numbers = [tally.sent, tally.came, tally.octets, tally.micros];
        let head = MAGIC.iter().copied().chain([kind, 0, 0, 0]).chain(*token);
        let mut out = [0; LEN];
        for (to, from) in out.iter_mut().zip(head.chain(numbers.into_iter().flat_map(u64::to_be_bytes))) {
            *to = from;
        }
        out
    }
}
