//! The successor's end.

use std::io::{self, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use coloa_link::handover::decode;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use zeroize::Zeroizing;

use super::{Greeting, Ground, Header, Inherited, MAX_RECORD, PATIENCE, TAKE, VERSION, socket};
use crate::config::Config;
use crate::fault::Fault;

/// The daemon that runs, greeted and not yet asked for anything.
pub struct Predecessor {
    stream: UnixStream,
    greeting: Greeting,
}

/// What it gave.
pub struct Taken {
    /// The TUN interface.
    pub red: OwnedFd,
    /// The UDP socket.
    pub black: OwnedFd,
    /// The TCP socket at which peers dial.
    pub control_port: OwnedFd,
    /// How old its timeline was.
    pub elapsed: Duration,
    /// The links.
    pub peers: Vec<Inherited>,
    stream: UnixStream,
}

impl Predecessor {
    /// Finds the daemon that runs with this configuration.
    pub fn find(config: &Config) -> Result<Self, Fault> {
        let path = socket(config);
        let none = |e: io::Error| Fault::NoDaemon { at: path.display().to_string(), why: e.to_string() };
        let mut stream = UnixStream::connect(&path).map_err(none)?;
        let patient = stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
        let octets = patient.and_then(|()| read_record(&mut stream)).map_err(none)?;
        let greeting: Greeting = serde_json::from_slice(&octets).map_err(|e| refused(&e))?;
        if greeting.version != VERSION {
            return Err(refused(&format!("it hands over in form {}, this program takes {VERSION}", greeting.version)));
        }
        if greeting.ground != Ground::of(config) {
            let why =
                "namespaces, interface, addresses, MTU or port of [red] and [black] are others in the configuration";
            return Err(refused(&why));
        }
        Ok(Self { stream, greeting })
    }

    /// What it said.
    pub fn into_greeting(self) -> Greeting {
        self.greeting
    }

    /// Takes everything. From here on the predecessor is at its end, whatever happens.
    pub fn take(self) -> Result<Taken, Fault> {
        take(self.stream).map_err(|e| refused(&e))
    }
}

impl Taken {
    /// Waits until the predecessor has ended and its ports are free; not for ever.
    pub fn wait_for_its_end(&mut self) {
        let end = self.stream.read(&mut [0]);
        if !matches!(end, Ok(0)) {
            tracing::warn!("the predecessor is slow to end");
        }
    }
}

fn take(mut stream: UnixStream) -> io::Result<Taken> {
    stream.write_all(TAKE)?;
    let (length, descriptors) = receive(&stream)?;
    let header: Header = serde_json::from_slice(&read_octets(&mut stream, length)?)?;
    let [red, black, control_port] = <[OwnedFd; 3]>::try_from(descriptors)
        .map_err(|other| io::Error::other(format!("{} descriptors came instead of three", other.len())))?;
    if header.version != VERSION {
        return Err(io::Error::other("it hands over in another form"));
    }
    let mut peers = Vec::new();
    loop {
        let record = read_record(&mut stream)?;
        if record.is_empty() {
            return Ok(Taken { red, black, control_port, elapsed: header.elapsed, peers, stream });
        }
        peers.push(decode(&record).map_err(|_| io::Error::other("a record cannot be read"))?);
    }
}

/// The length of the header, and what came with it.
fn receive(stream: &UnixStream) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut length = [0; 4];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(stream, &mut [IoSliceMut::new(&mut length)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    if received.bytes != length.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let rights = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    Ok((u32::from_be_bytes(length) as usize, rights.flatten().collect()))
}

fn read_record(stream: &mut UnixStream) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    read_octets(stream, u32::from_be_bytes(length) as usize)
}

fn read_octets(stream: &mut UnixStream, length: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    if length > MAX_RECORD {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut octets = Zeroizing::new(vec![0; length]);
    stream.read_exact(&mut octets)?;
    Ok(octets)
}

fn refused(why: &dyn std::fmt::Display) -> Fault {
    Fault::Handover { why: why.to_string() }
}
