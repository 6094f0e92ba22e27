//! One TLS connection of the control channel, blocking, with a deadline on every wait: a peer that says nothing, or one
//! octet a minute, costs one thread for seconds (R34).

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use coloa_link::keys::{EXPORT_LEN, EXPORTER_LABEL, exporter_context};
use coloa_link::{Epoch, KeyMaterial, Role};
use rustls::{ClientConnection, Connection, ServerConnection};
use rustls_pki_types::{CertificateDer, ServerName};
use zeroize::Zeroizing;

use super::message::{MAX_BODY, Message};
use crate::tls::Tls;

/// The name in the dialler's TLS configuration; identities are what is verified.
const PEER_NAME: &str = "coloa-link";

/// A connection whose handshake is done.
pub struct Channel {
    tls: Connection,
    tcp: TcpStream,
    role: Role,
}

impl Channel {
    /// Dials and completes the handshake as the TLS client.
    pub fn dial(to: SocketAddr, tls: &Tls, deadline: Duration) -> io::Result<Self> {
        let end = Instant::now() + deadline;
        let tcp = TcpStream::connect_timeout(&to, deadline)?;
        let name = ServerName::try_from(PEER_NAME).map_err(io::Error::other)?;
        let connection = ClientConnection::new(Arc::clone(&tls.client), name).map_err(io::Error::other)?;
        Self::shake(connection.into(), tcp, Role::Client, end)
    }

    /// Completes the handshake as the TLS server.
    pub fn accept(tcp: TcpStream, tls: &Tls, deadline: Duration) -> io::Result<Self> {
        let connection = ServerConnection::new(Arc::clone(&tls.server)).map_err(io::Error::other)?;
        Self::shake(connection.into(), tcp, Role::Server, Instant::now() + deadline)
    }

    fn shake(tls: Connection, tcp: TcpStream, role: Role, end: Instant) -> io::Result<Self> {
        tcp.set_nodelay(true)?;
        let mut channel = Self { tls, tcp, role };
        while channel.tls.is_handshaking() {
            channel.flush(end)?;
            if channel.tls.is_handshaking() {
                channel.fill(end)?;
            }
        }
        channel.flush(end)?;
        Ok(channel)
    }

    /// Our role in the handshake.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The chain that the peer showed.
    pub fn peer_chain(&self) -> Vec<CertificateDer<'static>> {
        let owned = |c: &CertificateDer<'_>| c.clone().into_owned();
        self.tls.peer_certificates().unwrap_or_default().iter().map(owned).collect()
    }

    /// The peer's address.
    pub fn peer_address(&self) -> io::Result<SocketAddr> {
        self.tcp.peer_addr()
    }

    /// A second hold on the TCP connection, to end it from another thread.
    pub fn handle(&self) -> io::Result<TcpStream> {
        self.tcp.try_clone()
    }

    /// The keys of an epoch, from this connection's exporter.
    pub fn keys(&self, epoch: Epoch) -> Result<KeyMaterial, rustls::Error> {
        const QUEUE: u16 = 0;
        let mut export = Zeroizing::new([0; EXPORT_LEN]);
        let context = exporter_context(epoch, QUEUE);
        self.tls.export_keying_material(export.as_mut_slice(), EXPORTER_LABEL, Some(&context))?;
        Ok(KeyMaterial::from_exporter(&export, self.role, epoch, QUEUE))
    }

    /// Sends a message.
    pub fn send(&mut self, message: Message, deadline: Duration) -> io::Result<()> {
        self.tls.writer().write_all(&message.encode())?;
        self.flush(Instant::now() + deadline)
    }

    /// Waits for the next message.
    pub fn receive(&mut self, deadline: Duration) -> io::Result<Message> {
        let end = Instant::now() + deadline;
        let mut kind = [0];
        self.read_exact(&mut kind, end)?;
        let [kind] = kind;
        let unknown = || io::Error::other("the peer sent a message of an unknown kind");
        let length = Message::body_len(kind).ok_or_else(unknown)?;
        let mut body = [0; MAX_BODY];
        let body = body.get_mut(..length).ok_or_else(unknown)?;
        self.read_exact(body, end)?;
        Message::parse(kind, body).ok_or_else(unknown)
    }

    /// Says goodbye, as far as the peer still listens.
    pub fn close(mut self) {
        self.tls.send_close_notify();
        let _ = self.flush(Instant::now() + Duration::from_secs(1));
    }

    fn read_exact(&mut self, mut into: &mut [u8], end: Instant) -> io::Result<()> {
        while !into.is_empty() {
            match self.tls.reader().read(into) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => into = into.get_mut(count..).unwrap_or_default(),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.fill(end)?,
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Reads once from the network and lets TLS digest it; an alert that it wants to send goes out.
    fn fill(&mut self, end: Instant) -> io::Result<()> {
        self.tcp.set_read_timeout(Some(remaining(end)?))?;
        if self.tls.read_tls(&mut self.tcp).map_err(timed_out)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let digested = self.tls.process_new_packets();
        let sent = self.flush(end);
        digested.map_err(io::Error::other)?;
        sent
    }

    fn flush(&mut self, end: Instant) -> io::Result<()> {
        while self.tls.wants_write() {
            self.tcp.set_write_timeout(Some(remaining(end)?))?;
            self.tls.write_tls(&mut self.tcp).map_err(timed_out)?;
        }
        Ok(())
    }
}

fn remaining(end: Instant) -> io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// A socket's timeout comes as `WouldBlock`.
fn timed_out(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock { io::ErrorKind::TimedOut.into() } else { error }
}
