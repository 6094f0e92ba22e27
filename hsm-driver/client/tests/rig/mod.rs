//! A server over rustls on loopback that plays an engine's part, and the certificates for both ends.
#![allow(dead_code, reason = "each test binary uses its part")]

use coloa_client::config::{Network, Place, Target};
use coloa_wire::command::{Done, Random, encode_head};
use coloa_wire::frame::{MAX_FRAME_HOST, frame_length};
use coloa_wire::hello::{Body, PROTOCOL, ServerHello};
use coloa_wire::{Frame, FrameKind, RetryId};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

pub const SERVER_NAME: &str = "coloa.local";

/// A CA with one certificate for the server and one for the client, as PEM files.
pub struct Pki {
    pub directory: tempfile::TempDir,
}

impl Pki {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let pki = Pki { directory };
        std::fs::write(pki.file("ca.pem"), ca.pem()).unwrap();
        for name in ["server", "client"] {
            let key = KeyPair::generate().unwrap();
            let certificate = CertificateParams::new(vec![SERVER_NAME.into()]).unwrap().signed_by(&key, &ca).unwrap();
            std::fs::write(pki.file(&format!("{name}.pem")), certificate.pem()).unwrap();
            std::fs::write(pki.file(&format!("{name}.key")), key.serialize_pem()).unwrap();
        }
        pki
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn anchors(&self) -> Arc<RootCertStore> {
        let mut anchors = RootCertStore::empty();
        anchors.add(CertificateDer::from_pem_file(self.file("ca.pem")).unwrap()).unwrap();
        Arc::new(anchors)
    }

    pub fn server_config(&self) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let clients = WebPkiClientVerifier::builder_with_provider(self.anchors(), provider.clone()).build().unwrap();
        let chain = vec![CertificateDer::from_pem_file(self.file("server.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(self.file("server.key")).unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_client_cert_verifier(clients)
            .with_single_cert(chain, key)
            .unwrap();
        Arc::new(config)
    }
}

/// A target at `address` with the client certificate of `ours`, trusting the CA of `theirs`.
pub fn target(address: SocketAddr, ours: &Path, theirs: &Path, connections: usize) -> Target {
    let network = Network {
        address: address.to_string(),
        server_name: SERVER_NAME.into(),
        ca: theirs.join("ca.pem"),
        certificate: ours.join("client.pem"),
        key: ours.join("client.key"),
        connections,
    };
    Target { place: Place::Network(network), deadline: Duration::from_secs(20) }
}

/// What the server does with a call.
#[derive(Clone)]
pub enum Manner {
    /// Answers at once.
    Answer,
    /// Gathers this many calls, then answers the last first.
    Backwards(usize),
    /// Says nothing.
    Silent,
    /// Closes the first connection at its first call; answers on the others.
    DropFirst,
    /// Answers with a fault frame.
    Fault,
    /// Lets this answer frames; an empty answer closes the connection.
    Engine(Engine),
    /// Lets this answer frames; an empty answer is silence.
    Choosy(Engine),
}

/// A frame in, its reply out.
pub type Engine = Arc<dyn Fn(&[u8]) -> Vec<u8> + Send + Sync>;

/// A running server. Dropping it closes its connections.
pub struct Server {
    pub address: SocketAddr,
    pub retries: Arc<Mutex<Vec<Option<RetryId>>>>,
    pub accepted: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(pki: &Pki, manner: Manner) -> Self {
        Self::start_at(pki, manner, "127.0.0.1:0".parse().unwrap())
    }

    pub fn start_at(pki: &Pki, manner: Manner, address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let (config, address) = (pki.server_config(), listener.local_addr().unwrap());
        let (stop, streams) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(vec![])));
        let (retries, accepted) = (Arc::new(Mutex::new(vec![])), Arc::new(AtomicUsize::new(0)));
        let (stopped, kept, noted, counted) = (stop.clone(), streams.clone(), retries.clone(), accepted.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (stream, number) = (stream.unwrap(), counted.fetch_add(1, Ordering::SeqCst));
                kept.lock().unwrap().push(stream.try_clone().unwrap());
                let (config, noted, manner) = (config.clone(), noted.clone(), manner.clone());
                let closing = stream.try_clone().unwrap();
                std::thread::spawn(move || {
                    let _ = serve(stream, config, manner, number, &noted);
                    let _ = closing.shutdown(Shutdown::Both);
                });
            }
        });
        Server { address, retries, accepted, stop, streams, thread: Some(thread) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        self.streams.lock().unwrap().iter().for_each(|s| drop(s.shutdown(Shutdown::Both)));
        self.thread.take().map(JoinHandle::join);
    }
}

type Stream = StreamOwned<ServerConnection, TcpStream>;

fn serve(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    manner: Manner,
    number: usize,
    retries: &Mutex<Vec<Option<RetryId>>>,
) -> Option<()> {
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    greet(&mut stream)?;
    let mut held = vec![];
    loop {
        let bytes = read_frame(&mut stream)?;
        let call = Frame::parse(&bytes).ok()?;
        retries.lock().unwrap().push(call.retry);
        let answer = answer(&call);
        match &manner {
            Manner::Silent => {}
            Manner::DropFirst if number == 0 => return None,
            Manner::Fault => write(&mut stream, &Frame::status(FrameKind::Fault, 3, 0))?,
            Manner::Answer | Manner::DropFirst => stream.write_all(&answer).and_then(|()| stream.flush()).ok()?,
            Manner::Engine(engine) => {
                let answer = engine(&bytes);
                if answer.is_empty() {
                    return None;
                }
                stream.write_all(&answer).and_then(|()| stream.flush()).ok()?;
            }
            Manner::Choosy(engine) => stream.write_all(&engine(&bytes)).and_then(|()| stream.flush()).ok()?,
            Manner::Backwards(count) => {
                held.push(answer);
                if held.len() == *count {
                    held.drain(..).rev().try_for_each(|a| stream.write_all(&a)).ok()?;
                    stream.flush().ok()?;
                }
            }
        }
    }
}

/// The reply to a call, as a whole frame.
pub fn answer_to(frame: &[u8]) -> Vec<u8> {
    answer(&Frame::parse(frame).unwrap())
}

/// The reply to `Random`: as many bytes as asked, each the lowest byte of the length.
fn answer(call: &Frame<'_>) -> Vec<u8> {
    let bulk = match coloa_wire::command::decode_head::<Random>(call.head) {
        Ok(Random { length }) => vec![length as u8; length as usize],
        Err(_) => vec![],
    };
    let mut head = vec![];
    encode_head(&Done {}, &mut head);
    let mut out = vec![];
    Frame { head: &head, bulk: &bulk, ..Frame::status(FrameKind::Reply, 0, call.request) }.encode(&mut out);
    out
}

fn greet(stream: &mut Stream) -> Option<()> {
    read_frame(stream)?;
    let hello = ServerHello {
        protocol: PROTOCOL,
        features: 0,
        max_frame: MAX_FRAME_HOST as u32,
        software: "test".into(),
        body: Body::Appliance,
        lanes: None,
    };
    let mut head = vec![];
    encode_head(&hello, &mut head);
    write(stream, &Frame { head: &head, ..Frame::status(FrameKind::Hello, 0, 0) })
}

fn write(stream: &mut Stream, frame: &Frame<'_>) -> Option<()> {
    let mut out = vec![];
    frame.encode(&mut out);
    stream.write_all(&out).and_then(|()| stream.flush()).ok()
}

pub fn read_frame(stream: &mut impl Read) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 4];
    stream.read_exact(&mut bytes).ok()?;
    let length = frame_length(&bytes, MAX_FRAME_HOST).ok()??;
    bytes.resize(length, 0);
    stream.read_exact(&mut bytes[4..]).ok()?;
    Some(bytes)
}
