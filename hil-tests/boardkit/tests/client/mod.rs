//! A TLS client of the board, over aws-lc-rs.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use coloa_boardkit::{Provisioned, SERVER_NAME};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};

pub type Channel = StreamOwned<ClientConnection, TcpStream>;

/// A busy machine emulates slowly; nothing here waits this long unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client that is what `who` was provisioned as, and trusts what `whom` serves as.
pub fn config(who: &Provisioned, whom: &Provisioned) -> Result<Arc<ClientConfig>> {
    versions(who, whom, &[&TLS13])
}

/// The same with TLS 1.2 only.
pub fn outdated(who: &Provisioned, whom: &Provisioned) -> Result<Arc<ClientConfig>> {
    versions(who, whom, &[&TLS12])
}

/// A finished handshake.
pub fn connect(config: &Arc<ClientConfig>, port: u16) -> Result<Channel> {
    let mut tls = ClientConnection::new(config.clone(), SERVER_NAME.try_into()?)?;
    let mut tcp = tcp(port)?;
    while tls.is_handshaking() {
        tls.complete_io(&mut tcp)?;
    }
    Ok(StreamOwned::new(tls, tcp))
}

/// A bare connection.
pub fn tcp(port: u16) -> Result<TcpStream> {
    let tcp = TcpStream::connect(("127.0.0.1", port))?;
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    Ok(tcp)
}

fn versions(
    who: &Provisioned,
    whom: &Provisioned,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<Arc<ClientConfig>> {
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups.insert(0, aws_lc_rs::kx_group::X25519MLKEM768);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&whom.authority)?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)?
        .with_root_certificates(roots)
        .with_client_auth_cert(
            vec![CertificateDer::from_pem_file(&who.client_certificate)?],
            PrivateKeyDer::from_pem_file(&who.client_key)?,
        )?;
    Ok(Arc::new(config))
}
