//! The private key's keeper: a process of its own that loads the PKCS#11 module, so that the code of a token's vendor never
//! runs where the network rights are (ARCHITECTURE decision 11). It gives up every capability before the module is loaded
//! and talks only over its standard input and output:
//!
//! ```text
//! request   length (u16, big-endian) ‖ digest
//! answer    length (u16, big-endian) ‖ status (0 done, 1 refused) ‖ signature r‖s, or the reason in words
//! ```
//! The first answer, unasked, says whether the token was opened. One request, one answer; end of input ends the process.

pub mod client;
pub mod process;
pub mod sign;

use std::io::{self, Read, Write};

/// Longest message of this protocol; signatures and reasons are far shorter.
const MAX_MESSAGE: usize = 4096;
const DONE: u8 = 0;
const REFUSED: u8 = 1;

/// What the keyholder says.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Done(Vec<u8>),
    Refused(String),
}

impl Answer {
    fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let (status, body) = match self {
            Answer::Done(body) => (DONE, body.as_slice()),
            Answer::Refused(why) => (REFUSED, why.as_bytes()),
        };
        let body = body.get(..body.len().min(MAX_MESSAGE - 1)).unwrap_or(body);
        write_message(to, &[&[status], body].concat())
    }

    fn parse(message: Vec<u8>) -> io::Result<Self> {
        match message.split_first() {
            Some((&DONE, body)) => Ok(Answer::Done(body.to_vec())),
            Some((&REFUSED, why)) => Ok(Answer::Refused(String::from_utf8_lossy(why).into_owned())),
            _ => Err(io::Error::other("the keyholder gave an answer of an unknown kind")),
        }
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
    fn answers_come_back_as_they_were() {
        for answer in [Answer::Done(vec![1, 2, 3]), Answer::Refused("no such key".into())] {
            let mut wire = Vec::new();
            answer.write(&mut wire).expect("write");
            let message = read_message(&mut wire.as_slice()).expect("read").expect("one");
            assert_eq!(Answer::parse(message).expect("parse"), answer);
        }
    }

    #[test]
    fn a_cut_or_endless_message_is_an_error() {
        assert!(read_message(&mut [0, 9, 1].as_slice()).is_err());
        assert!(read_message(&mut [0xff, 0xff].as_slice()).is_err());
        assert!(read_message(&mut [].as_slice()).expect("clean end").is_none());
    }
}
