//! The private key's keeper: a process of its own that loads the PKCS#11 module, so that the code of a token's vendor never
//! runs where the network rights are (ARCHITECTURE decision 11). It gives up every capability before the module is loaded
//! and talks only over its standard input and output:
//!
//! ```text
//! request   length (u16, big-endian) ‖ number (u32) ‖ what (0 sign, 1 look for the key) ‖ digest
//! answer    length (u16, big-endian) ‖ number (u32) ‖ status (0 done, 1 refused, 2 refused for good) ‖ signature r‖s, or
//!           the reason in words
//! ```
//! The first answer, unasked and with number 0, says whether the token was opened. Requests are worked on as many at once as
//! there are sessions and answered as they are done, so that a token with latency is kept busy; each gets one answer. End of
//! input ends the process.

mod child;
pub mod client;
pub mod process;
pub mod sign;

use std::io::{self, Read, Write};

/// Longest message of this protocol; signatures and reasons are far shorter.
const MAX_MESSAGE: usize = 4096;
/// Octets of an answer before its body.
const ANSWER_HEAD: usize = 5;
const SIGN: u8 = 0;
const LOOK: u8 = 1;
const DONE: u8 = 0;
const REFUSED: u8 = 1;
const REFUSED_FOR_GOOD: u8 = 2;

/// What the daemon wants.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    /// The signature of a digest.
    Sign(Vec<u8>),
    /// To know whether the token still has the key.
    Look,
}

/// A wish, and the number that its answer bears.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    number: u32,
    wish: Wish,
}

impl Request {
    fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let (what, digest) = match &self.wish {
            Wish::Sign(digest) => (SIGN, digest.as_slice()),
            Wish::Look => (LOOK, [].as_slice()),
        };
        write_message(to, &[&self.number.to_be_bytes(), [what].as_slice(), digest].concat())
    }

    fn parse(message: &[u8]) -> io::Result<Self> {
        let unknown = || io::Error::other("the daemon made a request of an unknown kind");
        let (number, rest) = message.split_first_chunk().ok_or_else(unknown)?;
        let wish = match rest.split_first() {
            Some((&SIGN, digest)) => Wish::Sign(digest.to_vec()),
            Some((&LOOK, [])) => Wish::Look,
            _ => return Err(unknown()),
        };
        Ok(Self { number: u32::from_be_bytes(*number), wish })
    }
}

/// Why the keyholder does not do something.
#[derive(Debug, PartialEq, Eq)]
struct Refusal {
    why: String,
    /// Trying again by oneself would do harm: a wrong PIN counts until the token locks it.
    for_good: bool,
}

impl From<String> for Refusal {
    fn from(why: String) -> Self {
        Self { why, for_good: false }
    }
}

/// What the keyholder says to the request with this number.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    number: u32,
    result: Result<Vec<u8>, Refusal>,
}

impl Answer {
    fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let (status, body) = match &self.result {
            Ok(body) => (DONE, body.as_slice()),
            Err(Refusal { why, for_good: false }) => (REFUSED, why.as_bytes()),
            Err(Refusal { why, for_good: true }) => (REFUSED_FOR_GOOD, why.as_bytes()),
        };
        let body = body.get(..body.len().min(MAX_MESSAGE - ANSWER_HEAD)).unwrap_or(body);
        write_message(to, &[&self.number.to_be_bytes(), [status].as_slice(), body].concat())
    }

    fn parse(message: &[u8]) -> io::Result<Self> {
        let unknown = || io::Error::other("the keyholder gave an answer of an unknown kind");
        let (number, rest) = message.split_first_chunk().ok_or_else(unknown)?;
        let (status, body) = rest.split_first().ok_or_else(unknown)?;
        let refusal = |for_good| Refusal { why: String::from_utf8_lossy(body).into_owned(), for_good };
        let result = match *status {
            DONE => Ok(body.to_vec()),
            REFUSED => Err(refusal(false)),
            REFUSED_FOR_GOOD => Err(refusal(true)),
            _ => return Err(unknown()),
        };
        Ok(Self { number: u32::from_be_bytes(*number), result })
    }
}

fn write_message(to: &mut impl Write, body: &[u8]) -> io::Result<()> {
    let length = u16::try_from(body.len()).map_err(io::Error::other)?;
    to.write_all(&[&length.to_be_bytes(), body].concat())?;
    to.flush()
}

/// The next message; nothing at a clean end.
fn read_message(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 2];
    match from.read_exact(&mut length) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let length = usize::from(u16::from_be_bytes(length));
    if length > MAX_MESSAGE {
        return Err(io::Error::other("a message is longer than this protocol has"));
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(Some(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_answers_come_back_as_they_were() {
        for wish in [Wish::Sign(vec![1, 2, 3]), Wish::Look] {
            let (mut wire, request) = (Vec::new(), Request { number: 1 << 30, wish });
            request.write(&mut wire).expect("write");
            let message = read_message(&mut wire.as_slice()).expect("read").expect("one");
            assert_eq!(Request::parse(&message).expect("parse"), request);
        }
        let refusal = |for_good| Refusal { why: "no such key".into(), for_good };
        for result in [Ok(vec![1, 2, 3]), Err(refusal(false)), Err(refusal(true))] {
            let (mut wire, answer) = (Vec::new(), Answer { number: 7, result });
            answer.write(&mut wire).expect("write");
            let message = read_message(&mut wire.as_slice()).expect("read").expect("one");
            assert_eq!(Answer::parse(&message).expect("parse"), answer);
        }
    }

    #[test]
    fn what_is_unknown_or_too_short_is_an_error() {
        for message in [&[0, 0, 0][..], &[0, 0, 0, 1], &[0, 0, 0, 1, 9], &[0, 0, 0, 1, LOOK, 0]] {
            assert!(Request::parse(message).is_err());
        }
        for message in [&[0, 0, 0][..], &[0, 0, 0, 1], &[0, 0, 0, 1, 9]] {
            assert!(Answer::parse(message).is_err());
        }
        let endless = Answer { number: 1, result: Err("x".repeat(MAX_MESSAGE * 2).into()) };
        let mut wire = Vec::new();
        endless.write(&mut wire).expect("cut to what fits");
        assert!(read_message(&mut wire.as_slice()).is_ok());
    }

    #[test]
    fn a_cut_or_endless_message_is_an_error() {
        assert!(read_message(&mut [0, 9, 1].as_slice()).is_err());
        assert!(read_message(&mut [0xff, 0xff].as_slice()).is_err());
        assert!(read_message(&mut [].as_slice()).expect("clean end").is_none());
    }
}
