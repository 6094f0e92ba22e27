//! The channel CA: certifies the appliance's own key and its clients' keys, and nothing else.
//!
//! Its private key and the server's are made here and kept sealed in the engine's store, never in a file. Clients make
//! their own keys; of a request only the public key is taken.

use crate::fault::Fault;
use coloa_host::HostEngine;
use coloa_wire::command::{decode_head, encode_head};
use coloa_wire::{ErrorCode, Identity};
use minicbor::{Decode, Encode};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, SerialNumber,
};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

const CA_SECRET: [u8; 16] = *b"channel-ca\0\0\0\0\0\0";
const SERVER_SECRET: [u8; 16] = *b"channel-server\0\0";

const CA_DAYS: i64 = 20 * 365;
const SERVER_DAYS: i64 = 2 * 365;
/// The server's certificate is renewed when it has less than this.
const RENEW_DAYS: i64 = 60;
/// Clocks differ: what is made now is valid a little earlier.
const SKEW: Duration = Duration::minutes(5);
/// A client's certificate is valid this long at most.
const MAX_CLIENT_DAYS: u32 = 10 * 365;

/// A private key with its certificate, as it is sealed.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Sealed {
    #[cbor(n(0), with = "minicbor::bytes")]
    key: Vec<u8>,
    #[cbor(n(1), with = "minicbor::bytes")]
    certificate: Vec<u8>,
    #[n(2)]
    names: Vec<String>,
    /// Seconds since 1970.
    #[n(3)]
    ends: u64,
}

impl Drop for Sealed {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.key);
    }
}

/// The channel CA and the server's certificate.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    ca: CertificateDer<'static>,
    server: Sealed,
}

impl Authority {
    /// Opens the channel CA of an initialised engine, or makes it; renews the server's certificate when it is near its end
    /// or has other names.
    ///
    /// # Errors
    /// [`Fault::Certificates`], [`Fault::Store`].
    pub fn open(engine: &HostEngine, names: &[String]) -> Result<Self, Fault> {
        let stored = match read(engine, CA_SECRET)? {
            Some(stored) => stored,
            None => make_ca(engine)?,
        };
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8(&stored.key), &PKCS_ECDSA_P384_SHA384)?;
        let ca = CertificateDer::from(stored.certificate.clone());
        let issuer = Issuer::from_ca_cert_der(&ca, key)?;
        let server = match read(engine, SERVER_SECRET)? {
            Some(server) if server.names == names && !near_end(server.ends) => server,
            _ => make_server(engine, &issuer, names)?,
        };
        Ok(Authority { issuer, ca, server })
    }

    /// Whether [`Authority::open`] would renew the server's certificate.
    pub fn is_due(&self) -> bool {
        near_end(self.server.ends)
    }

    /// When the server's certificate ends, in seconds since 1970.
    pub fn server_ends(&self) -> u64 {
        self.server.ends
    }

    /// The CA's certificate.
    pub fn ca(&self) -> &CertificateDer<'static> {
        &self.ca
    }

    /// The server's chain and key.
    pub fn server(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.server.key.clone()));
        (vec![CertificateDer::from(self.server.certificate.clone()), self.ca.clone()], key)
    }

    /// Certifies a client's key after its proof of possession. Nothing but the key is taken from the request.
    ///
    /// # Errors
    /// [`ErrorCode::SignatureInvalid`] for a request whose proof does not hold, [`ErrorCode::AttributeValueInvalid`] for a
    /// validity that cannot be, [`ErrorCode::CurveUnsupported`] for any key that is not on P-256 or P-384.
    pub fn certify(&self, request: &[u8], name: &str, days: u32, from: Option<u64>) -> Result<Vec<u8>, ErrorCode> {
        let request = CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(request))
            .map_err(|_| ErrorCode::SignatureInvalid)?;
        let curve = rcgen::PublicKeyData::algorithm(&request.public_key);
        if curve != &PKCS_ECDSA_P256_SHA256 && curve != &PKCS_ECDSA_P384_SHA384 {
            return Err(ErrorCode::CurveUnsupported);
        }
        let mut params = CertificateParams::default();
        (params.not_before, params.not_after) = client_validity(days, from).ok_or(ErrorCode::AttributeValueInvalid)?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(serial().map_err(|_| ErrorCode::EntropyFailed)?);
        let made = params.signed_by(&request.public_key, &self.issuer).map_err(|_| ErrorCode::Internal)?;
        Ok(made.der().to_vec())
    }
}

/// SHA-256 of a certificate: who its holder is.
pub fn identity(certificate: &[u8]) -> Identity {
    let mut out = [0; 32];
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate);
    out.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    Identity(out)
}

fn client_validity(days: u32, from: Option<u64>) -> Option<(OffsetDateTime, OffsetDateTime)> {
    let start = match from {
        Some(seconds) => OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok()?,
        None => OffsetDateTime::now_utc() - SKEW,
    };
    let span = Duration::days(i64::from(days));
    (1..=MAX_CLIENT_DAYS).contains(&days).then_some(())?;
    Some((start, start.checked_add(span)?))
}

fn near_end(ends: u64) -> bool {
    let left = i64::try_from(ends).unwrap_or(i64::MAX).saturating_sub(OffsetDateTime::now_utc().unix_timestamp());
    left < Duration::days(RENEW_DAYS).whole_seconds()
}

fn serial() -> Result<SerialNumber, Fault> {
    let mut serial = [0; 16];
    aws_lc_rs::rand::fill(&mut serial).map_err(|_| Fault::Certificates("no random numbers".into()))?;
    // Positive in DER (RFC 5280 §4.1.2.2).
    serial[0] &= 0x7f;
    Ok(SerialNumber::from_slice(&serial))
}

fn valid_for(params: &mut CertificateParams, days: i64) -> Result<u64, Fault> {
    let now = OffsetDateTime::now_utc();
    params.not_before = now - SKEW;
    params.not_after = now + Duration::days(days);
    params.serial_number = Some(serial()?);
    Ok(u64::try_from(params.not_after.unix_timestamp()).unwrap_or(0))
}

fn make_ca(engine: &HostEngine) -> Result<Sealed, Fault> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Co Loa channel CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ends = valid_for(&mut params, CA_DAYS)?;
    let certificate = params.self_signed(&key)?.der().to_vec();
    keep(engine, CA_SECRET, Sealed { key: key.serialize_der(), certificate, names: Vec::new(), ends })
}

fn make_server(engine: &HostEngine, issuer: &Issuer<'_, KeyPair>, names: &[String]) -> Result<Sealed, Fault> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?;
    let mut params = CertificateParams::new(names.to_vec())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, names.first().map_or("coload", String::as_str));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let ends = valid_for(&mut params, SERVER_DAYS)?;
    let certificate = params.signed_by(&key, issuer)?.der().to_vec();
    keep(engine, SERVER_SECRET, Sealed { key: key.serialize_der(), certificate, names: names.to_vec(), ends })
}

fn pkcs8(key: &[u8]) -> PrivatePkcs8KeyDer<'_> {
    PrivatePkcs8KeyDer::from(key)
}

fn read(engine: &HostEngine, name: [u8; 16]) -> Result<Option<Sealed>, Fault> {
    let Some(plain) = engine.body_secret(name)? else { return Ok(None) };
    decode_head(&plain).map(Some).map_err(|_| Fault::Store(ErrorCode::StoreCorrupt))
}

fn keep(engine: &HostEngine, name: [u8; 16], sealed: Sealed) -> Result<Sealed, Fault> {
    let mut plain = Zeroizing::new(Vec::with_capacity(4096));
    encode_head(&sealed, &mut plain);
    engine.set_body_secret(name, &plain)?;
    Ok(sealed)
}
