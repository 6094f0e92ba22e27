//! Handshake and hellos, before anyone else knows the connection.

use super::greeting;
use super::socket::Socket;
use super::tls;
use crate::CallError;
use coloa_wire::frame::{MAX_HELLO_FRAME, frame_length};
use coloa_wire::hello::ServerHello;
use rustls::ClientConnection;
use std::io::{self, Read, Write};
use std::time::Instant;

/// Shakes hands and exchanges hellos.
pub(super) fn greet(
    place: &str,
    mut socket: &Socket,
    tls: &mut ClientConnection,
    deadline: Instant,
) -> Result<ServerHello, CallError> {
    let failed = |e: io::Error| match e.kind() {
        io::ErrorKind::TimedOut => CallError::Deadline(place.to_owned()),
        _ => CallError::Unreachable(place.to_owned(), e.to_string()),
    };
    tls.writer().write_all(&greeting::request()).map_err(failed)?;
    let mut incoming = Vec::new();
    loop {
        if let Some(length) = frame_length(&incoming, MAX_HELLO_FRAME)
            .map_err(|code| CallError::Protocol(place.to_owned(), code))?
            .filter(|length| *length <= incoming.len())
        {
            let frame: Vec<u8> = incoming.drain(..length).collect();
            return greeting::accept(&frame).map_err(|code| CallError::Protocol(place.to_owned(), code));
        }
        match flush(tls, socket) {
            Err(e) if e.kind() != io::ErrorKind::WouldBlock => return Err(failed(e)),
            _ => {}
        }
        match tls.read_tls(&mut socket) {
            Ok(0) => return Err(failed(io::Error::new(io::ErrorKind::UnexpectedEof, "the other end closed it"))),
            Ok(_) => take_in(place, socket, tls, &mut incoming)?,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                socket.wait(true, tls.wants_write(), deadline).map_err(failed)?;
            }
            Err(e) => return Err(failed(e)),
        }
    }
}

/// Writes what TLS wants to say.
pub(super) fn flush(tls: &mut ClientConnection, mut socket: &Socket) -> io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(&mut socket)?;
    }
    Ok(())
}

fn take_in(place: &str, socket: &Socket, tls: &mut ClientConnection, incoming: &mut Vec<u8>) -> Result<(), CallError> {
    let arrived = match tls.process_new_packets() {
        Ok(arrived) => arrived,
        Err(e) => {
            // The alert tells the other end why.
            let _ = flush(tls, socket);
            return Err(tls::fault(place, &e));
        }
    };
    let whole = incoming.len();
    incoming.resize(whole.saturating_add(arrived.plaintext_bytes_to_read()), 0);
    let room = incoming.get_mut(whole..).unwrap_or_default();
    tls.reader().read_exact(room).map_err(|e| CallError::Unreachable(place.to_owned(), e.to_string()))
}
