//! A body of RAM, and a client of it.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use coloa_bringup::entropy::InsecureSeed;
use coloa_bringup::factory::{self, Address};
use coloa_bringup::{Channel, FactoryPage};
use coloa_crypto_portable::Portable;
use coloa_engine::{Engine, Limits, Platform, Timestamp};
use coloa_store_testkit::RamStore;
use coloa_tls_portable::Turn;
use coloa_tls_portable::config::{Identity as TlsIdentity, server_config};
use coloa_wire::command::PartitionMode;
use coloa_wire::frame::FrameKind;
use coloa_wire::hello::{Body, ClientHello, PROTOCOL, ServerHello};
use coloa_wire::{Command, ErrorCode, Frame, Identity, command};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256, date_time_ymd};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// 2026-01-01: tests do not depend on the day they run.
const NOW: u64 = 1_767_225_600;

#[derive(Debug)]
struct FixedClock;

impl TimeProvider for FixedClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(NOW)))
    }
}

type Provider = Portable<InsecureSeed, parking_lot::RawMutex>;

pub struct Ram {
    crypto: Provider,
    store: RamStore,
    root_key: Zeroizing<[u8; 32]>,
}

impl Platform for Ram {
    type Crypto = Provider;
    type Store = RamStore;
    type Lock = parking_lot::RawRwLock;

    fn crypto(&self) -> &Provider {
        &self.crypto
    }

    fn store(&self) -> &RamStore {
        &self.store
    }

    fn now(&self) -> Timestamp {
        Timestamp(NOW * 1000)
    }

    fn root_key(&self) -> &Zeroizing<[u8; 32]> {
        &self.root_key
    }

    fn body(&self) -> Body {
        Body::EmulatedBoard
    }

    fn limits(&self) -> Limits {
        Limits::BOARD
    }
}

struct Holder {
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

pub struct Board {
    pub engine: Engine<Ram>,
    pub store: RamStore,
    page: FactoryPage,
    tls: Arc<ServerConfig>,
    authority: CertificateDer<'static>,
    client: Arc<Holder>,
    stranger: Arc<Holder>,
}

fn params() -> CertificateParams {
    let mut params = CertificateParams::new(vec!["board.test".to_string()]).unwrap();
    params.not_before = date_time_ymd(2024, 1, 1);
    params.not_after = date_time_ymd(2036, 1, 1);
    params
}

fn issue(issuer: &Issuer<'_, KeyPair>) -> Arc<Holder> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let certificate = params().signed_by(&key, issuer).unwrap().der().clone();
    Arc::new(Holder { certificate, key: key.serialize_der() })
}

fn start(store: &RamStore, boot: u32) -> Engine<Ram> {
    let crypto = Portable::new(InsecureSeed::new(&[1; 48], boot), b"test").unwrap();
    Engine::start(Ram { crypto, store: store.clone(), root_key: Zeroizing::new([5; 32]) }).unwrap()
}

/// Custodians of firmware, of which no test here has the keys.
fn trust() -> coloa_image::Trust {
    let custodian = |n| coloa_image::Custodian { name: "custodian".into(), key: vec![n; coloa_image::KEY] };
    coloa_image::Trust::new(2, vec![custodian(1), custodian(2)]).unwrap()
}

impl Board {
    pub fn new() -> Self {
        let board = Self::uncommissioned();
        board.commission().unwrap();
        board
    }

    pub fn uncommissioned() -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut ca = params();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = ca.self_signed(&key).unwrap().der().clone();
        let issuer = Issuer::new(ca, key);
        let (server, client, stranger) = (issue(&issuer), issue(&issuer), issue(&issuer));
        let page = FactoryPage {
            serial: "TEST-1".into(),
            manufactured: NOW,
            certificate_chain: vec![server.certificate.to_vec().into()],
            private_key: server.key.clone().into(),
            client_anchors: vec![authority.to_vec().into()],
            clients: vec![factory::Client {
                identity: Identity(Sha256::digest(&client.certificate).into()),
                name: "client".into(),
            }],
            root_key: vec![5; 32].into(),
            insecure_seed: Some(vec![1; 48].into()),
            address: Address { own: [10, 0, 2, 15], prefix: 24, gateway: [10, 0, 2, 2], port: 7443 },
            mode: PartitionMode::Strict,
            firmware: trust().to_bytes().into(),
        };
        let identity = TlsIdentity {
            chain: vec![server.certificate.to_vec()],
            private_key: PrivatePkcs8KeyDer::from(server.key.clone()),
            client_anchors: vec![authority.to_vec()],
        };
        let random = aws_lc_rs::default_provider().secure_random;
        let tls = server_config(identity, random, Arc::new(FixedClock)).unwrap();
        let store = RamStore::new();
        Board { engine: start(&store, 1), store, page, tls, authority, client, stranger }
    }

    pub fn commission(&self) -> Result<(), ErrorCode> {
        coloa_bringup::commission::commission(&self.engine, &self.page)
    }

    /// The same medium under a new engine.
    pub fn restarted(self) -> Self {
        Board { engine: start(&self.store, 2), ..self }
    }
}

pub struct Client<'a> {
    board: &'a Board,
    pub channel: Channel,
    tls: ClientConnection,
    heard: Vec<u8>,
    request: u32,
    closed: bool,
}

impl<'a> Client<'a> {
    pub fn of(board: &'a Board) -> Self {
        Self::with(board, &board.client)
    }

    pub fn stranger(board: &'a Board) -> Self {
        Self::with(board, &board.stranger)
    }

    fn with(board: &'a Board, holder: &Holder) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(board.authority.clone()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_details(provider, Arc::new(FixedClock))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(
                vec![holder.certificate.clone()],
                PrivatePkcs8KeyDer::from(holder.key.clone()).into(),
            )
            .unwrap();
        let tls = ClientConnection::new(Arc::new(config), "board.test".try_into().unwrap()).unwrap();
        let channel = Channel::new(board.tls.clone()).unwrap();
        Client { board, channel, tls, heard: Vec::new(), request: 0, closed: false }
    }

    pub fn hello(&mut self) -> ServerHello {
        let hello = ClientHello { protocol: PROTOCOL, features: 0, max_frame: 8192, software: "test".into() };
        let mut head = Vec::new();
        command::encode_head(&hello, &mut head);
        self.say(&Frame { head: &head, ..Frame::status(FrameKind::Hello, 0, 0) });
        let reply = self.hear();
        command::decode_head(Frame::parse(&reply).unwrap().head).unwrap()
    }

    pub fn call<C: Command>(&mut self, command: &C) -> Result<C::Reply, ErrorCode> {
        self.ask(command);
        let reply = self.hear();
        let reply = Frame::parse(&reply).unwrap();
        assert_eq!(reply.request, self.request);
        match ErrorCode::from_number(reply.code) {
            Some(error) => Err(error),
            None => command::decode_head(reply.head),
        }
    }

    /// Sends `count` calls before it reads; returns how many answers came in order.
    pub fn pipelined<C: Command>(&mut self, command: &C, count: u32) -> u32 {
        let first = self.request + 1;
        (0..count).for_each(|_| self.ask(command));
        let replies = (0..count).map(|_| self.hear());
        replies.zip(first..).filter(|(reply, request)| Frame::parse(reply).unwrap().request == *request).count() as u32
    }

    /// Sends a frame that must not be answered but by a fault.
    pub fn fault(&mut self, frame: Frame<'_>) -> ErrorCode {
        self.say(&frame);
        let reply = self.hear();
        let reply = Frame::parse(&reply).unwrap();
        assert_eq!(reply.kind, FrameKind::Fault);
        ErrorCode::from_number(reply.code).unwrap()
    }

    pub fn is_closed(&mut self) -> bool {
        self.run();
        self.closed
    }

    fn ask<C: Command>(&mut self, command: &C) {
        self.request += 1;
        let mut head = Vec::new();
        command::encode_head(command, &mut head);
        self.say(&Frame { head: &head, ..Frame::status(FrameKind::Call, C::CODE as u16, self.request) });
    }

    fn say(&mut self, frame: &Frame<'_>) {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        self.tls.writer().write_all(&bytes).unwrap();
    }

    fn hear(&mut self) -> Vec<u8> {
        self.run();
        let length = u32::from_be_bytes(self.heard[..4].try_into().unwrap()) as usize + 4;
        self.heard.drain(..length).collect()
    }

    /// Moves bytes until neither side has any for the other.
    fn run(&mut self) {
        let mut moved = true;
        while moved {
            let mut bytes = Vec::new();
            while self.tls.wants_write() {
                self.tls.write_tls(&mut bytes).unwrap();
            }
            moved = !bytes.is_empty();
            let mut rest = &bytes[..];
            while !rest.is_empty() && !self.closed {
                let taken = self.channel.receive(rest);
                rest = &rest[taken..];
                self.turn();
            }
            moved |= self.turn();
        }
    }

    fn turn(&mut self) -> bool {
        let mut moved = false;
        loop {
            let turn = self.channel.turn(&self.board.engine);
            self.closed |= turn == Turn::Finished;
            let bytes = self.channel.output().to_vec();
            self.channel.sent(bytes.len());
            moved |= !bytes.is_empty();
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                self.tls.read_tls(&mut rest).unwrap();
                self.tls.process_new_packets().unwrap();
                // `WouldBlock` at the end of what has come.
                let _ = self.tls.reader().read_to_end(&mut self.heard);
            }
            if turn != Turn::Again && bytes.is_empty() {
                return moved;
            }
        }
    }
}
