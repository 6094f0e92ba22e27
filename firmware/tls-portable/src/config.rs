//! The one server configuration there is: TLS 1.3, a client certificate demanded and verified, no tickets (R22).

use alloc::sync::Arc;
use alloc::vec::Vec;

use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::time_provider::TimeProvider;
use rustls::version::TLS13;
use rustls::{Error, RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use crate::provider::{Random, provider};

/// Plaintext in one record we send; a board has no use for 16 KB at once.
const RECORD_BYTES: usize = 4096;

/// Who the board is and whom it believes.
pub struct Identity {
    /// The server certificate first, then its issuers, DER.
    pub chain: Vec<Vec<u8>>,
    /// Private key of the server certificate: PKCS#8 DER, P-256 or P-384.
    pub private_key: PrivatePkcs8KeyDer<'static>,
    /// Certificates, DER, under which a client certificate must chain.
    pub client_anchors: Vec<Vec<u8>>,
}

/// Makes the configuration; `clock` decides whether a certificate is valid now.
///
/// Without a clock rustls refuses every client, so `clock` must answer.
pub fn server_config(
    identity: Identity,
    random: Random,
    clock: Arc<dyn TimeProvider>,
) -> Result<Arc<ServerConfig>, Error> {
    let provider = Arc::new(provider(random));
    let mut anchors = RootCertStore::empty();
    for der in identity.client_anchors {
        anchors.add(CertificateDer::from(der))?;
    }
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(anchors), provider.clone())
        .build()
        .map_err(|_| Error::General("the client trust anchors cannot be used".into()))?;
    let mut config = ServerConfig::builder_with_details(provider, clock)
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(clients)
        .with_single_cert(
            identity.chain.into_iter().map(CertificateDer::from).collect(),
            identity.private_key.into(),
        )?;
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ignore_client_order = true;
    config.max_fragment_size = Some(RECORD_BYTES + RECORD_OVERHEAD);
    Ok(Arc::new(config))
}

/// Header, content type and tag: `max_fragment_size` counts the record as it travels.
const RECORD_OVERHEAD: usize = 5 + 1 + 16;
