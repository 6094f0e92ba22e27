//! A channel authority, a client over aws-lc-rs, and a wire between it and our server.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use coloa_tls_portable::config::{Identity, server_config};
use coloa_tls_portable::{Server, Turn};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SignatureAlgorithm, date_time_ymd};
use rustls::crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion,
};

/// 2026-01-01: tests do not depend on the day they run.
const NOW: u64 = 1_767_225_600;

#[derive(Debug)]
pub struct FixedClock;

impl TimeProvider for FixedClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(NOW)))
    }
}

/// A certification authority for channels.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    algorithm: &'static SignatureAlgorithm,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        Self::on(&rcgen::PKCS_ECDSA_P256_SHA256, name)
    }

    pub fn on(algorithm: &'static SignatureAlgorithm, name: &str) -> Self {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let mut params = valid_params(name, 2046);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self { issuer: Issuer::new(params, key), certificate, algorithm }
    }

    fn issue(&self, name: &str, last_year: i32) -> (CertificateDer<'static>, PrivatePkcs8KeyDer<'static>) {
        let key = KeyPair::generate_for(self.algorithm).unwrap();
        let certificate = valid_params(name, last_year).signed_by(&key, &self.issuer).unwrap();
        (certificate.der().clone(), PrivatePkcs8KeyDer::from(key.serialize_der()))
    }
}

fn valid_params(name: &str, last_year: i32) -> CertificateParams {
    let mut params = CertificateParams::new(vec!["board.test".to_string()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2024, 1, 1);
    params.not_after = date_time_ymd(last_year, 1, 1);
    params
}

pub fn server(authority: &Authority) -> Arc<ServerConfig> {
    let (certificate, private_key) = authority.issue("board", 2036);
    let identity = Identity {
        chain: vec![certificate.to_vec()],
        private_key,
        client_anchors: vec![authority.certificate.to_vec()],
    };
    server_config(identity, aws_lc_rs::default_provider().secure_random, Arc::new(FixedClock)).unwrap()
}

/// How a client differs from the good one.
#[derive(Default)]
pub struct ClientSetup {
    pub groups: Vec<&'static dyn SupportedKxGroup>,
    pub suites: Vec<SupportedCipherSuite>,
    pub versions: Vec<&'static SupportedProtocolVersion>,
    pub issuer: Option<Authority>,
    pub expired: bool,
    pub anonymous: bool,
}

pub fn client_config(authority: &Authority, setup: ClientSetup) -> Arc<ClientConfig> {
    let mut provider: CryptoProvider = aws_lc_rs::default_provider();
    // Without the `prefer-post-quantum` feature aws-lc-rs' default would offer a share for X25519 only.
    provider.kx_groups.insert(0, aws_lc_rs::kx_group::X25519MLKEM768);
    if !setup.groups.is_empty() {
        provider.kx_groups = setup.groups;
    }
    if !setup.suites.is_empty() {
        provider.cipher_suites = setup.suites;
    }
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate.clone()).unwrap();
    let versions = if setup.versions.is_empty() { vec![&rustls::version::TLS13] } else { setup.versions };
    let builder = ClientConfig::builder_with_details(Arc::new(provider), Arc::new(FixedClock))
        .with_protocol_versions(&versions)
        .unwrap()
        .with_root_certificates(roots);
    if setup.anonymous {
        return Arc::new(builder.with_no_client_auth());
    }
    let issuer = setup.issuer.as_ref().unwrap_or(authority);
    let (certificate, key) = issuer.issue("client", if setup.expired { 2025 } else { 2036 });
    Arc::new(builder.with_client_auth_cert(vec![certificate], PrivateKeyDer::Pkcs8(key)).unwrap())
}

/// Client and server, and the bytes between them.
pub struct Wire {
    pub server: Server,
    pub client: ClientConnection,
    pub client_error: Option<rustls::Error>,
    pub finished: bool,
    pub peer_closed: bool,
    /// Plaintext that reached the client.
    pub heard: Vec<u8>,
    /// Flips a bit in what goes to the server next.
    pub damage_next: bool,
}

impl Wire {
    pub fn new(server: Arc<ServerConfig>, client: Arc<ClientConfig>) -> Self {
        Self {
            server: Server::new(server).unwrap(),
            client: ClientConnection::new(client, "board.test".try_into().unwrap()).unwrap(),
            client_error: None,
            finished: false,
            peer_closed: false,
            heard: Vec::new(),
            damage_next: false,
        }
    }

    /// Moves bytes until neither side has any for the other.
    pub fn run(&mut self) {
        while self.move_to_server() | self.move_to_client() {}
    }

    /// Sends `text`, has the server echo what it takes, returns what came back.
    pub fn echo(&mut self, text: &[u8]) -> Vec<u8> {
        let (mut unsent, mut back) = (text, Vec::new());
        loop {
            let sent = self.client.writer().write(unsent).unwrap();
            unsent = &unsent[sent..];
            self.run();
            back.append(&mut self.heard);
            if back.len() >= text.len() || self.client_error.is_some() {
                return back;
            }
        }
    }

    fn move_to_server(&mut self) -> bool {
        let mut bytes = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut bytes).unwrap();
        }
        let moved = !bytes.is_empty();
        if let (true, Some(last)) = (std::mem::take(&mut self.damage_next), bytes.last_mut()) {
            *last ^= 1;
        }
        let mut rest = &bytes[..];
        loop {
            let taken = self.server.receive(rest);
            rest = &rest[taken..];
            self.turn_until_idle();
            if rest.is_empty() || self.finished {
                return moved;
            }
            self.move_to_client();
        }
    }

    fn turn_until_idle(&mut self) {
        loop {
            match self.server.turn() {
                Turn::Again => {}
                Turn::Finished => return self.finished = true,
                Turn::Idle if self.server.plaintext().is_empty() => return,
                Turn::Idle => {
                    let text = self.server.plaintext().to_vec();
                    self.server.send(&text);
                    self.server.taken(text.len());
                    if self.server.output().len() >= coloa_tls_portable::server::OUTBOX_FULL {
                        return;
                    }
                }
            }
        }
    }

    fn move_to_client(&mut self) -> bool {
        let bytes = self.server.output().to_vec();
        self.server.sent(bytes.len());
        let mut rest = &bytes[..];
        while !rest.is_empty() && self.client_error.is_none() {
            self.client.read_tls(&mut rest).unwrap();
            match self.client.process_new_packets() {
                Ok(state) => {
                    self.peer_closed |= state.peer_has_closed();
                    // Fails with `WouldBlock` at the end of what has come: not a failure.
                    let _ = self.client.reader().read_to_end(&mut self.heard);
                }
                Err(why) => self.client_error = Some(why),
            }
        }
        self.turn_until_idle();
        !bytes.is_empty()
    }
}
