//! TLS 1.3 with a certificate at both ends (R22), by rustls with aws-lc-rs named explicitly.

use crate::CallError;
use crate::config;
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls::{AlertDescription, ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::path::Path;
use std::sync::Arc;

/// What every connection to one place starts from.
pub(crate) struct Identity {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) server_name: ServerName<'static>,
}

impl Identity {
    /// Reads the files.
    pub(crate) fn load(network: &config::Network) -> Result<Self, CallError> {
        let server_name = ServerName::try_from(network.server_name.clone())
            .map_err(|e| CallError::File(format!("server_name {:?}", network.server_name), e.to_string()))?;
        Ok(Identity { config: Arc::new(client_config(network)?), server_name })
    }
}

fn client_config(network: &config::Network) -> Result<ClientConfig, CallError> {
    let mut provider = aws_lc_rs::default_provider();
    // The hybrid first (R30); the others for boards and appliances that do not have it.
    provider.kx_groups = vec![
        kx_group::X25519MLKEM768,
        kx_group::SECP256R1MLKEM768,
        kx_group::X25519,
        kx_group::SECP384R1,
        kx_group::SECP256R1,
    ];
    let chain = certificates(&network.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&network.key).map_err(|e| unusable(&network.key, e))?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|e| unusable(&network.certificate, e))?
        .with_root_certificates(anchors(&network.ca)?)
        .with_client_auth_cert(chain, key)
        .map_err(|e| unusable(&network.certificate, e))?;
    // Every connection verifies the certificate anew.
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn anchors(ca: &Path) -> Result<RootCertStore, CallError> {
    let mut anchors = RootCertStore::empty();
    for certificate in certificates(ca)? {
        anchors.add(certificate).map_err(|e| unusable(ca, e))?;
    }
    Ok(anchors)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, CallError> {
    let list: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<_, _>>)
        .map_err(|e| unusable(file, e))?;
    if list.is_empty() { Err(unusable(file, "it holds no certificate")) } else { Ok(list) }
}

fn unusable(file: &Path, why: impl ToString) -> CallError {
    CallError::File(file.display().to_string(), why.to_string())
}

/// What a TLS error means for the person who has to act.
pub(crate) fn fault(place: &str, error: &rustls::Error) -> CallError {
    let (place, why) = (place.to_owned(), error.to_string());
    match error {
        rustls::Error::AlertReceived(alert) if is_about_us(*alert) => CallError::Refused(place, why),
        rustls::Error::AlertReceived(_) => CallError::Lost(place, why),
        _ => CallError::Untrusted(place, why),
    }
}

fn is_about_us(alert: AlertDescription) -> bool {
    use AlertDescription as A;
    [
        A::CertificateRequired,
        A::NoCertificate,
        A::BadCertificate,
        A::UnsupportedCertificate,
        A::CertificateRevoked,
        A::CertificateExpired,
        A::CertificateUnknown,
        A::UnknownCA,
        A::AccessDenied,
        A::DecryptError,
        A::HandshakeFailure,
    ]
    .contains(&alert)
}
