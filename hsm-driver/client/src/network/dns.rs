//! One question to one name server, over UDP (RFC 1035 §4): the IPv4 and IPv6 addresses of a name.
//!
//! The socket is connected, so the system drops what others send; what the server sends is still anybody's.

use super::socket::remaining;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Instant;

/// RFC 1035 §2.3.4: octets of a label, of a name, and of a message over UDP.
const MAX_LABEL: usize = 63;
const MAX_NAME: usize = 253;
const MAX_MESSAGE: usize = 512;
const HEADER: usize = 12;
const INTERNET: [u8; 2] = [0, 1];
/// RFC 1035 §3.2.2, RFC 3596 §2.1.
const A: [u8; 2] = [0, 1];
const AAAA: [u8; 2] = [0, 28];
/// RFC 1035 §4.1.1.
const NO_SUCH_NAME: u8 = 3;

/// Asks for both kinds at once and waits for both, until the time is over: then what has come must do. Empty: it has none.
///
/// # Errors
/// `InvalidInput`: no name that could be asked for. `TimedOut`; or the server's refusal, or the system's.
pub(super) fn ask(server: SocketAddr, name: &str, until: Instant) -> io::Result<Vec<IpAddr>> {
    let mut open = [question(name, A)?, question(name, AAAA)?].to_vec();
    let socket = UdpSocket::bind(any_port(server))?;
    socket.connect(server)?;
    for question in &open {
        socket.send(question)?;
    }
    let (mut found, mut refusal) = (Vec::new(), None);
    while !open.is_empty() {
        match receive(&socket, &open, until) {
            Ok(Some((answered, reply))) => {
                open.remove(answered);
                match reply {
                    Ok(addresses) => found.extend(addresses),
                    Err(e) => refusal = Some(e),
                }
            }
            Ok(None) => {}
            Err(_) if !found.is_empty() => break,
            Err(e) => return Err(e),
        }
    }
    match refusal {
        Some(e) if found.is_empty() => Err(e),
        _ => Ok(found),
    }
}

/// Where a socket that speaks with `peer` is bound to: the system chooses the port, which nobody else knows.
pub(super) fn any_port(peer: SocketAddr) -> SocketAddr {
    if peer.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() }
}

type Reply = io::Result<Vec<IpAddr>>;

/// One datagram: which question it answers and how, if any.
fn receive(socket: &UdpSocket, open: &[Vec<u8>], until: Instant) -> io::Result<Option<(usize, Reply)>> {
    let mut message = [0; MAX_MESSAGE];
    socket.set_read_timeout(Some(remaining(until)?))?;
    let length = match socket.recv(&mut message) {
        Ok(length) => length,
        Err(e) if e.kind() == io::ErrorKind::Interrupted => return Ok(None),
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "it does not answer"));
        }
        Err(e) => return Err(e),
    };
    let message = message.get(..length).unwrap_or_default();
    Ok(open.iter().enumerate().find_map(|(at, question)| Some((at, read(message, question)?))))
}

/// A question with a number that nobody can guess.
fn question(name: &str, kind: [u8; 2]) -> io::Result<Vec<u8>> {
    let wrong = || io::Error::new(io::ErrorKind::InvalidInput, "it is no name of a host (ASCII, labels of 1 to 63)");
    let mut number = [0; 2];
    aws_lc_rs::rand::fill(&mut number).map_err(io::Error::other)?;
    // Recursion desired, one question.
    let mut out = [number.as_slice(), &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
    if name.len() > MAX_NAME || !name.is_ascii() {
        return Err(wrong());
    }
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|l| (1..=MAX_LABEL).contains(&usize::from(*l)));
        out.push(length.ok_or_else(wrong)?);
        out.extend(label.as_bytes());
    }
    out.push(0);
    out.extend(kind);
    out.extend(INTERNET);
    Ok(out)
}

/// What a message says to a question; `None` if it is not its answer.
fn read(message: &[u8], question: &[u8]) -> Option<Reply> {
    let mut rest = Bytes(message);
    let (number, flags, code) = (rest.take(2)?, rest.byte()?, rest.byte()? & 0x0f);
    rest.take(2)?;
    let answers = rest.number()?;
    rest.take(4)?;
    let echo = rest.take(question.len().checked_sub(HEADER)?)?;
    if number != question.get(..2)? || flags & 0x80 == 0 || !echo.eq_ignore_ascii_case(question.get(HEADER..)?) {
        return None;
    }
    let found = addresses(rest, answers);
    Some(match code {
        // Cut short (TC): what is there is used.
        0 if found.is_empty() && flags & 2 != 0 => Err(io::Error::other("its answer does not fit a datagram")),
        0 => Ok(found),
        NO_SUCH_NAME => Ok(Vec::new()),
        code => Err(io::Error::other(format!("it refuses with RCODE {code}"))),
    })
}

/// The addresses among so many records, aliases passed over; as far as they can be read.
fn addresses(mut rest: Bytes<'_>, records: u16) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for _ in 0..records {
        let Some((kind, data)) = rest.record() else { break };
        if kind == A {
            found.extend(<[u8; 4]>::try_from(data).map(IpAddr::from));
        } else if kind == AAAA {
            found.extend(<[u8; 16]>::try_from(data).map(IpAddr::from));
        }
    }
    found
}

/// What has not been read of a message.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn number(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    /// Its kind and data (§4.1.3).
    fn record(&mut self) -> Option<([u8; 2], &'a [u8])> {
        self.pass_name()?;
        let kind = self.take(2)?.try_into().ok()?;
        // Class and time to live.
        self.take(6)?;
        let length = self.number()?;
        Some((kind, self.take(length.into())?))
    }

    /// Labels up to the root or to a pointer (§4.1.4), which is not followed.
    fn pass_name(&mut self) -> Option<()> {
        loop {
            match self.byte()? {
                0 => return Some(()),
                0xc0.. => return self.take(1).map(drop),
                length => self.take(length.into())?,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(question: &[u8], code: u8, records: &[u8]) -> Vec<u8> {
        let mut out = question.to_vec();
        (out[2], out[3], out[7]) = (0x81, 0x80 | code, 9);
        out.extend(records);
        out
    }

    #[test]
    fn only_the_answer_to_the_question_counts() {
        let asked = question("hsm.example", A).unwrap();
        let record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 1];
        let good = reply(&asked, 0, &record);
        assert_eq!(read(&good, &asked).unwrap().unwrap(), [IpAddr::from([192, 0, 2, 1])]);
        assert!(read(&good, &question("hsm.example", AAAA).unwrap()).is_none(), "another kind");
        for at in [0, 2, HEADER + 1] {
            let mut other = good.clone();
            other[at] ^= 0x80;
            assert!(read(&other, &asked).is_none(), "byte {at}");
        }
        assert!(read(&reply(&asked, 3, &[]), &asked).unwrap().unwrap().is_empty());
        assert!(read(&reply(&asked, 2, &record), &asked).unwrap().is_err());
        for length in 0..good.len() {
            assert!(read(&good[..length], &asked).is_none_or(|read| read.unwrap().is_empty()));
        }
    }

    #[test]
    fn no_message_of_a_liar_does_harm() {
        let asked = question("hsm.example", A).unwrap();
        let mut noise = [0; MAX_MESSAGE];
        for _ in 0..20_000 {
            aws_lc_rs::rand::fill(&mut noise).unwrap();
            let _ = read(&noise, &asked);
            let _ = read(&reply(&asked, 0, &noise), &asked);
        }
    }

    #[test]
    fn what_is_no_name_is_not_asked_for() {
        for name in ["", ".", "a..b", "tòa-án.vn", &"x".repeat(64), &"x.".repeat(130)] {
            assert_eq!(question(name, A).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{name}");
        }
    }
}
