//! The control channel's TLS: 1.3 only, both ends show certificates, key exchange X25519MLKEM768 and no other (R30), no
//! tickets: each connection proves everything anew and yields fresh keys (R29).

use std::sync::{Arc, RwLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::admission::{Admission, Refused, Shown};

/// The protocol that is spoken inside, with its version.
const ALPN: &[u8] = b"coloa-link/3";

/// Both roles' configurations.
#[derive(Clone, Debug)]
pub struct Tls {
    /// For dialling.
    pub client: Arc<ClientConfig>,
    /// For accepting.
    pub server: Arc<ServerConfig>,
    /// What we show in both.
    pub own: Arc<Own>,
}

/// Our key, and the chain that is shown for it; the chain can be renewed.
#[derive(Debug)]
pub struct Own(RwLock<Arc<CertifiedKey>>);

impl Own {
    fn now(&self) -> Arc<CertifiedKey> {
        self.0.read().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// The chain that is shown.
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.now().cert.clone()
    }

    /// Shows another chain for the same key, from the next handshake on.
    pub fn renew(&self, chain: Vec<CertificateDer<'static>>) {
        let renewed = Arc::new(CertifiedKey::new(chain, self.now().key.clone()));
        *self.0.write().unwrap_or_else(|e| e.into_inner()) = renewed;
    }
}

impl ResolvesServerCert for Own {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.now())
    }
}

impl ResolvesClientCert for Own {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.now())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl Tls {
    /// With our key and chain; peers are judged by `admission` in the handshake.
    pub fn new(own: Arc<CertifiedKey>, admission: Arc<Admission>) -> Result<Self, Error> {
        let (provider, own) = (Arc::new(provider()), Arc::new(Own(RwLock::new(own))));
        let verifier = Arc::new(Verifier { admission, provider: provider.clone() });
        let mut client = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(verifier.clone())
            .with_client_cert_resolver(own.clone());
        client.alpn_protocols = vec![ALPN.to_vec()];
        client.resumption = Resumption::disabled();
        client.enable_sni = false;
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(own.clone());
        server.alpn_protocols = vec![ALPN.to_vec()];
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        Ok(Self { client: Arc::new(client), server: Arc::new(server), own })
    }
}

/// One suite and one hybrid group: there is nothing to be talked down to (R30).
fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![aws_lc_rs::cipher_suite::TLS13_AES_256_GCM_SHA384],
        kx_groups: vec![aws_lc_rs::kx_group::X25519MLKEM768],
        ..aws_lc_rs::default_provider()
    }
}

/// Asks [`Admission`] about the peer's chain; a name does not matter, the identity does.
#[derive(Debug)]
struct Verifier {
    admission: Arc<Admission>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn admit(
        &self,
        end: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        shown: Shown,
        now: UnixTime,
    ) -> Result<(), Error> {
        let chain: Vec<_> = std::iter::once(end).chain(intermediates).cloned().collect();
        self.admission.admit(&chain, shown, now).map(|_| ()).map_err(error)
    }

    fn signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP384_SHA384, SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

fn error(refused: Refused) -> Error {
    let error = match refused {
        Refused::Certificate(webpki::Error::CertExpired { .. }) => CertificateError::Expired,
        Refused::Certificate(webpki::Error::CertNotValidYet { .. }) => CertificateError::NotValidYet,
        Refused::Certificate(webpki::Error::CertRevoked) => CertificateError::Revoked,
        Refused::Certificate(webpki::Error::InvalidSignatureForPublicKey) => CertificateError::BadSignature,
        Refused::Certificate(webpki::Error::UnknownIssuer) => CertificateError::UnknownIssuer,
        other => CertificateError::Other(OtherError(Arc::new(other))),
    };
    Error::InvalidCertificate(error)
}

/// This configuration has no TLS 1.2: the call cannot come, and would be refused.
fn no_tls12() -> Error {
    Error::PeerIncompatible(rustls::PeerIncompatible::Tls13RequiredForQuic)
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.admit(end, intermediates, Shown::AsServer, now).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.admit(end, intermediates, Shown::AsClient, now).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}
