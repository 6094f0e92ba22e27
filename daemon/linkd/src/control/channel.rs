//! One TLS connection of the control channel: a task that waits costs a few kilobytes, and every wait for the peer has a
//! deadline (R34). What computes for long, or waits for the token, runs at the [`Workers`].

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use coloa_link::keys::{EXPORT_LEN, EXPORTER_LABEL, exporter_context};
use coloa_link::{Epoch, KeyMaterial, Role};
use rustls::{ClientConnection, Connection, ServerConnection};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use zeroize::Zeroizing;

use super::message::Message;
use crate::tls::Tls;
use crate::workers::{Step, Workers};

/// The name in the dialler's TLS configuration; identities are what is verified.
const PEER_NAME: &str = "coloa-link";
/// Octets taken from the network before TLS digests them: the longest TLS record (RFC 8446 §5.2) fits.
const APPETITE: usize = 1 << 14;

/// A connection whose handshake is done.
pub struct Channel {
    tls: Connection,
    tcp: TcpStream,
    role: Role,
    /// A message of which not everything has come: a wait that is given up loses nothing.
    partial: (Vec<u8>, usize),
    /// The octets of the piece of policy that came last.
    piece: Vec<u8>,
}

impl Channel {
    /// Dials and completes the handshake as the TLS client; connecting and the peer's silences may take `patience` each.
    pub async fn dial(to: SocketAddr, tls: &Tls, workers: &Workers, patience: Duration) -> io::Result<Self> {
        let tcp = timeout(patience, TcpStream::connect(to)).await??;
        let name = ServerName::try_from(PEER_NAME).map_err(io::Error::other)?;
        let connection = ClientConnection::new(Arc::clone(&tls.client), name).map_err(io::Error::other)?;
        Self::shake(connection.into(), tcp, Shake::new(Role::Client, true, patience), workers).await
    }

    /// Completes the handshake as the TLS server. `known` says that a peer was at this address before.
    pub async fn accept(
        tcp: TcpStream,
        tls: &Tls,
        workers: &Workers,
        (known, patience): (bool, Duration),
    ) -> io::Result<Self> {
        let connection = ServerConnection::new(Arc::clone(&tls.server)).map_err(io::Error::other)?;
        Self::shake(connection.into(), tcp, Shake::new(Role::Server, known, patience), workers).await
    }

    async fn shake(tls: Connection, tcp: TcpStream, mut how: Shake, workers: &Workers) -> io::Result<Self> {
        tcp.set_nodelay(true)?;
        let mut channel = Self { tls, tcp, role: how.role, partial: Default::default(), piece: Vec::new() };
        while channel.tls.is_handshaking() {
            how.wait(channel.flush()).await?;
            if channel.tls.is_handshaking() {
                how.wait(channel.swallow()).await?;
                channel = channel.digest_apart(&mut how, workers).await?;
            }
        }
        how.wait(channel.flush()).await?;
        Ok(channel)
    }

    /// Lets the workers digest what has come; an alert that TLS wants to send goes out. The wait for a worker is not the
    /// peer's fault and does not cost it patience, but a peer that hangs up meanwhile is not worked for.
    async fn digest_apart(self, how: &mut Shake, workers: &Workers) -> io::Result<Self> {
        let Self { mut tls, tcp, role, partial, piece } = self;
        // A server signs in answer to the first flight; a client in answer to the only one.
        let step = if role == Role::Server && how.answered { Step::Checks } else { Step::Signs { known: how.known } };
        let work = move || {
            let digested = tls.process_new_packets().map(|_| ());
            (tls, digested)
        };
        let (tls, digested) = workers.work(step, hung_up(&tcp), work).await?;
        how.answered |= tls.wants_write();
        let mut channel = Self { tls, tcp, role, partial, piece };
        if let Err(why) = digested {
            let _ = how.wait(channel.flush()).await;
            return Err(io::Error::other(why));
        }
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

    /// The keys of an epoch, from this connection's exporter.
    pub fn keys(&self, epoch: Epoch) -> Result<KeyMaterial, rustls::Error> {
        const QUEUE: u16 = 0;
        let mut export = Zeroizing::new([0; EXPORT_LEN]);
        let context = exporter_context(epoch, QUEUE);
        self.tls.export_keying_material(export.as_mut_slice(), EXPORTER_LABEL, Some(&context))?;
        Ok(KeyMaterial::from_exporter(&export, self.role, epoch, QUEUE))
    }

    /// Sends a message.
    pub async fn send(&mut self, message: Message, deadline: Duration) -> io::Result<()> {
        self.send_with(message, &[], deadline).await
    }

    /// Waits for the next message, so long at most.
    pub async fn receive(&mut self, deadline: Duration) -> io::Result<Message> {
        timeout(deadline, self.next()).await?
    }

    /// Waits for the next message. Nothing is lost when the wait is given up.
    pub async fn next(&mut self) -> io::Result<Message> {
        let unknown = || io::Error::other("the peer sent a message of an unknown kind");
        self.fill_partial(1).await?;
        let kind = self.partial.0.first().copied().ok_or_else(unknown)?;
        let end = Message::body_len(kind).ok_or_else(unknown)?.saturating_add(1);
        self.fill_partial(end).await?;
        let body = self.partial.0.get(1..end).ok_or_else(unknown)?;
        let message = Message::parse(kind, body).ok_or_else(unknown)?;
        if let Message::Piece(piece) = message {
            self.fill_partial(end.saturating_add(piece.length.into())).await?;
            self.piece = self.partial.0.split_off(end);
        }
        // What a piece needed is not kept: a hub has thousands of these.
        self.partial = Default::default();
        Ok(message)
    }

    /// The octets that came with the last [`Message::Piece`].
    pub fn take_piece(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.piece)
    }

    /// Sends a message and octets behind it.
    pub async fn send_with(&mut self, message: Message, octets: &[u8], deadline: Duration) -> io::Result<()> {
        self.tls.writer().write_all(&message.encode())?;
        self.tls.writer().write_all(octets)?;
        timeout(deadline, self.flush()).await?
    }

    async fn fill_partial(&mut self, wanted: usize) -> io::Result<()> {
        if self.partial.0.len() < wanted {
            self.partial.0.resize(wanted, 0);
        }
        while self.partial.1 < wanted {
            let (octets, have) = &mut self.partial;
            let room = octets.get_mut(*have..wanted).unwrap_or_default();
            match self.tls.reader().read(room) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => *have = have.saturating_add(count),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.fill().await?,
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Says goodbye, as far as the peer still listens.
    pub async fn close(mut self) {
        self.tls.send_close_notify();
        let _ = timeout(Duration::from_secs(1), self.flush()).await;
    }

    /// Reads what there is and lets TLS digest it: a session's records are small and cost no worker.
    async fn fill(&mut self) -> io::Result<()> {
        self.swallow().await?;
        let digested = self.tls.process_new_packets();
        let sent = self.flush().await;
        digested.map_err(io::Error::other)?;
        sent
    }

    /// Waits for octets and takes what is there, undigested.
    async fn swallow(&mut self) -> io::Result<()> {
        let mut taken = 0usize;
        while taken == 0 {
            self.tcp.readable().await?;
            while taken < APPETITE {
                match self.tls.read_tls(&mut Nonblocking(&self.tcp)) {
                    Ok(0) if taken == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(0) => break,
                    Ok(count) => taken = taken.saturating_add(count),
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                    // Full: what is there has to be digested first.
                    Err(_) if taken > 0 => break,
                    Err(e) => return Err(e),
                }
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut Nonblocking(&self.tcp)) {
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.tcp.writable().await?,
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

/// How a handshake is made.
struct Shake {
    role: Role,
    known: bool,
    patience: Duration,
    answered: bool,
}

impl Shake {
    fn new(role: Role, known: bool, patience: Duration) -> Self {
        Self { role, known, patience, answered: false }
    }

    /// Waits for the network, which uses up patience.
    async fn wait<T>(&mut self, step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        let start = Instant::now();
        let result = timeout(self.patience, step).await;
        self.patience = self.patience.saturating_sub(start.elapsed());
        result?
    }
}

/// Comes true when the peer hangs up; never, when it goes on talking instead.
async fn hung_up(tcp: &TcpStream) {
    match tcp.ready(tokio::io::Interest::READABLE).await {
        Ok(ready) if !ready.is_read_closed() => std::future::pending().await,
        _ => {}
    }
}

/// The TCP connection as TLS reads and writes it: what would block says so.
struct Nonblocking<'a>(&'a TcpStream);

impl Read for Nonblocking<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(into)
    }
}

impl Write for Nonblocking<'_> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.0.try_write(from)
    }

    fn write_vectored(&mut self, from: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
