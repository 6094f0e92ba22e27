//! The way to a syslog receiver: TLS 1.3 with a certificate at both ends (RFC 5425, R22).
//!
//! Syslog has no acknowledgement. What stands for one: after each batch we say that we close, and the receiver must say so too
//! (close_notify, RFC 5425 §4.4), which it does when it has read all. An end of the connection without that word is none: a
//! receiver that died has perhaps read what lay in its socket, and the batch is sent again.

use super::arguments::AuditForward;
use crate::fault::Fault;
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::io::{Error, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// To connect, and for any one read or write.
const PATIENCE: Duration = Duration::from_secs(20);
/// A receiver has nothing to say; what it says all the same is read up to here.
const MAX_SAID: usize = 64 * 1024;

/// Where records go.
pub struct Receiver {
    to: String,
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
}

impl Receiver {
    /// Reads the files.
    pub fn load(asked: &AuditForward) -> Result<Self, Fault> {
        let unusable = |path: &Path, e: &dyn ToString| Fault::file(path, e.to_string());
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&asked.ca)? {
            roots.add(certificate).map_err(|e| unusable(&asked.ca, &e))?;
        }
        let key = PrivateKeyDer::from_pem_file(&asked.key).map_err(|e| unusable(&asked.key, &e))?;
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let mut config = builder
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|e| unusable(&asked.certificate, &e))?
            .with_root_certificates(roots)
            .with_client_auth_cert(certificates(&asked.certificate)?, key)
            .map_err(|e| unusable(&asked.certificate, &e))?;
        config.resumption = Resumption::disabled();
        let host = asked.to.rsplit_once(':').map_or(asked.to.as_str(), |(host, _)| host);
        let host = asked.server_name.as_deref().unwrap_or_else(|| host.trim_matches(['[', ']']));
        let name = ServerName::try_from(host.to_owned()).map_err(|e| receiver(&asked.to, &e))?;
        Ok(Receiver { to: asked.to.clone(), name, config: Arc::new(config) })
    }

    /// Returns when the receiver has read all of it.
    pub fn deliver(&self, frames: &[u8]) -> Result<(), Fault> {
        self.try_to_deliver(frames).map_err(|e| receiver(&self.to, &e))
    }

    fn try_to_deliver(&self, frames: &[u8]) -> std::io::Result<()> {
        let mut socket = self.connect()?;
        let mut tls = ClientConnection::new(self.config.clone(), self.name.clone()).map_err(Error::other)?;
        let mut stream = Stream::new(&mut tls, &mut socket);
        stream.write_all(frames)?;
        stream.conn.send_close_notify();
        stream.flush()?;
        until_it_ends(&mut stream)
    }

    fn connect(&self) -> std::io::Result<TcpStream> {
        let mut why = Error::new(ErrorKind::NotFound, "the name has no address");
        for address in self.to.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(socket) => {
                    socket.set_read_timeout(Some(PATIENCE))?;
                    socket.set_write_timeout(Some(PATIENCE))?;
                    return Ok(socket);
                }
                Err(error) => why = error,
            }
        }
        Err(why)
    }
}

/// Until it says that it closes.
fn until_it_ends(stream: &mut impl Read) -> std::io::Result<()> {
    let (mut said, mut chunk) = (0, [0; 4096]);
    while said < MAX_SAID {
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(n) => said += n,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::other("it talks and does not end"))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let all = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let all = all.map_err(|e| Fault::file(file, e))?;
    if all.is_empty() { Err(Fault::file(file, "it holds no certificate")) } else { Ok(all) }
}

fn receiver(to: &str, why: &dyn ToString) -> Fault {
    Fault::Receiver { to: to.to_owned(), why: why.to_string() }
}
