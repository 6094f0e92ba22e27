//! TLS 1.3 with a certificate at both ends (R22), by rustls with aws-lc-rs named explicitly. No session tickets: every
//! connection verifies the certificate anew.

use crate::authority::{Authority, identity};
use crate::channels::Caller;
use crate::fault::Fault;
use coloa_engine::Peer;
use coloa_host::HostEngine;
use coloa_wire::Identity;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig};
use rustls::{ServerConnection, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};
use std::fmt;
use std::sync::Arc;

/// What every handshake starts from.
///
/// # Errors
/// [`Fault::Certificates`].
pub fn server_config(authority: &Authority, engine: Arc<HostEngine>) -> Result<Arc<ServerConfig>, Fault> {
    let wrong = |e: &dyn fmt::Display| Fault::Certificates(e.to_string());
    let mut provider = aws_lc_rs::default_provider();
    // The hybrid first (R30); the others for clients that do not have it.
    provider.kx_groups = vec![kx_group::X25519MLKEM768, kx_group::X25519, kx_group::SECP384R1, kx_group::SECP256R1];
    let provider = Arc::new(provider);
    let mut anchors = RootCertStore::empty();
    anchors.add(authority.ca().clone()).map_err(|e| wrong(&e))?;
    let chain = WebPkiClientVerifier::builder_with_provider(Arc::new(anchors), provider.clone())
        .build()
        .map_err(|e| wrong(&e))?;
    let (certificates, key) = authority.server();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|e| wrong(&e))?
        .with_client_cert_verifier(Arc::new(BoundClients { chain, engine }))
        .with_single_cert(certificates, key)
        .map_err(|e| wrong(&e))?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Who is at the other end, once the handshake is over.
pub(crate) fn caller(connection: &ServerConnection) -> Option<Caller> {
    let certificate = connection.peer_certificates()?.first()?;
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let name = parsed.subject().iter_common_name().next()?.as_str().ok()?.to_owned();
    let peer = Peer::Client { identity: identity(certificate), name };
    Some(Caller { peer, until: parsed.validity().not_after.timestamp() })
}

/// By what callers are told apart; every caller over TLS has one.
pub(crate) fn identity_of(peer: &Peer) -> Identity {
    peer.identity().unwrap_or(Identity([0; 32]))
}

/// Admits a certificate of the channel CA that is bound to a partition now.
struct BoundClients {
    chain: Arc<dyn ClientCertVerifier>,
    engine: Arc<HostEngine>,
}

impl fmt::Debug for BoundClients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoundClients")
    }
}

impl ClientCertVerifier for BoundClients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chain.verify_client_cert(end, intermediates, now)?;
        match self.engine.is_bound(&identity(end)) {
            true => Ok(verified),
            false => Err(Error::InvalidCertificate(CertificateError::Revoked)),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::PeerIncompatible(rustls::PeerIncompatible::Tls12NotOfferedOrEnabled))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// Why a handshake failed, as a metric's label.
pub fn reason(error: &Error) -> &'static str {
    match error {
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => "expired",
        Error::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
            "not_valid_yet"
        }
        Error::InvalidCertificate(CertificateError::Revoked) => "not_bound",
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => "unknown_issuer",
        Error::InvalidCertificate(_) => "certificate",
        Error::NoCertificatesPresented => "no_certificate",
        Error::PeerIncompatible(_) => "incompatible",
        Error::AlertReceived(_) => "refused_by_client",
        Error::InvalidMessage(_) | Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            "malformed"
        }
        _ => "other",
    }
}
