//! One connection step by step, so that a person learns at which step it fails.

use super::names;
use super::tls::{self, Identity};
use crate::CallError;
use crate::config;
use rustls::ClientConnection;
use rustls_pki_types::CertificateDer;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A handshake that succeeded.
pub struct Handshake {
    /// How long TCP took.
    pub connected: Duration,
    /// How long TLS took after that.
    pub secured: Duration,
    /// The cipher suite.
    pub suite: String,
    /// The key exchange.
    pub group: String,
    /// The server's certificate and its issuers, DER.
    pub chain: Vec<CertificateDer<'static>>,
}

/// The addresses of a host and port, as a module finds them.
///
/// # Errors
/// Why there are none.
pub fn resolve(network: &config::Network, within: Duration) -> io::Result<Vec<SocketAddr>> {
    names::resolve(&network.address, Instant::now() + within)
}

/// Connects to one of them and greets it as a module would. Whether the server accepts our certificate shows only after
/// this, at the first call.
///
/// # Errors
/// [`CallError::File`], [`CallError::Unreachable`], [`CallError::Untrusted`], [`CallError::Refused`].
pub fn shake_hands(network: &config::Network, address: SocketAddr, within: Duration) -> Result<Handshake, CallError> {
    let identity = Identity::load(network)?;
    let place = address.to_string();
    let unreachable = |e: io::Error| CallError::Unreachable(place.clone(), e.to_string());
    let start = Instant::now();
    let mut stream = TcpStream::connect_timeout(&address, within).map_err(unreachable)?;
    let connected = start.elapsed();
    stream.set_read_timeout(Some(within)).map_err(unreachable)?;
    stream.set_write_timeout(Some(within)).map_err(unreachable)?;
    let mut tls = ClientConnection::new(identity.config.clone(), identity.server_name.clone())
        .map_err(|e| tls::fault(&place, &e))?;
    while tls.is_handshaking() {
        tls.complete_io(&mut stream).map_err(|e| match e.get_ref().and_then(|e| e.downcast_ref()) {
            Some(error) => tls::fault(&place, error),
            None => CallError::Lost(place.clone(), e.to_string()),
        })?;
    }
    Ok(Handshake {
        connected,
        secured: start.elapsed().saturating_sub(connected),
        suite: tls.negotiated_cipher_suite().map(|s| format!("{:?}", s.suite())).unwrap_or_default(),
        group: tls.negotiated_key_exchange_group().map(|g| format!("{:?}", g.name())).unwrap_or_default(),
        chain: tls.peer_certificates().unwrap_or_default().iter().map(|c| c.clone().into_owned()).collect(),
    })
}
