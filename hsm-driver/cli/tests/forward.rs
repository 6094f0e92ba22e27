//! The log to a syslog receiver (R17, R18): over mutual TLS, each record at least once, whenever anybody's power fails. The receiver
//! here is rustls with the few lines of RFC 5425 around it.
#![forbid(unsafe_code)]

mod site;

use coloa_crypto_native::Native;
use coloa_engine::audit::verify_chain;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, Stream};
use rustls_pki_types::PrivateKeyDer;
use site::Site;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A receiver that keeps what it read to the end.
struct Receiver {
    address: SocketAddr,
    kept: Arc<Mutex<Vec<Vec<u8>>>>,
    /// Connections that are dropped after some bytes were read.
    drops: Arc<AtomicUsize>,
    stops: Arc<AtomicBool>,
}

/// A CA, and a certificate of it for a name, as files and as rustls takes them.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Authority { issuer: Issuer::new(params, key), certificate }
    }

    fn certify(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    fn write(&self, site: &Site, name: &str) {
        let (certificate, key) = self.certify("hsm");
        fs::write(site.path(&format!("{name}.ca")), self.certificate.pem()).unwrap();
        fs::write(site.path(&format!("{name}.pem")), certificate.pem()).unwrap();
        fs::write(site.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    fn server(&self) -> Arc<ServerConfig> {
        let (certificate, key) = self.certify("localhost");
        let (provider, mut roots) = (Arc::new(aws_lc_rs::default_provider()), RootCertStore::empty());
        roots.add(self.certificate.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_client_cert_verifier(verifier);
        Arc::new(builder.with_single_cert(vec![certificate.der().clone()], key).unwrap())
    }
}

impl Receiver {
    fn start(authority: &Authority) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let receiver = Receiver { address, kept: Arc::default(), drops: Arc::default(), stops: Arc::default() };
        let (config, kept) = (authority.server(), receiver.kept.clone());
        let (drops, stops) = (receiver.drops.clone(), receiver.stops.clone());
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                if stops.load(Ordering::SeqCst) {
                    break;
                }
                let drop_it = drops.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
                let _ = serve(&config, socket, drop_it, &kept);
            }
        });
        receiver
    }

    /// Every message, of every connection, by RFC 5425 §4.3: a length, a space, so many bytes.
    fn messages(&self) -> Vec<String> {
        let mut messages = Vec::new();
        for read in self.kept.lock().unwrap().iter() {
            let mut rest = read.as_slice();
            while let Some(space) = rest.iter().position(|b| *b == b' ') {
                let length: usize = std::str::from_utf8(&rest[..space]).unwrap().parse().unwrap();
                messages.push(String::from_utf8(rest[space + 1..space + 1 + length].to_vec()).unwrap());
                rest = &rest[space + 1 + length..];
            }
            assert!(rest.is_empty(), "a cut frame was acknowledged");
        }
        messages
    }

    /// The records in the messages, by number; one that is there twice is the same twice.
    fn records(&self) -> BTreeMap<u64, Vec<u8>> {
        let mut records = BTreeMap::new();
        for message in self.messages() {
            let number = value(&message, "number").parse().unwrap();
            let record = data_encoding::BASE64.decode(value(&message, "record").as_bytes()).unwrap();
            let before = records.insert(number, record.clone());
            assert!(before.is_none_or(|before| before == record), "{number}");
        }
        records
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stops.store(true, Ordering::SeqCst);
        let _ = std::net::TcpStream::connect(self.address);
    }
}

/// Keeps what was read when the sender closed, and only then says so; nothing when the connection failed, or is to be dropped.
fn serve(
    config: &Arc<ServerConfig>,
    mut socket: std::net::TcpStream,
    drop_it: bool,
    kept: &Mutex<Vec<Vec<u8>>>,
) -> Option<()> {
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut tls = ServerConnection::new(config.clone()).unwrap();
    let mut stream = Stream::new(&mut tls, &mut socket);
    let mut read = Vec::new();
    if drop_it {
        stream.read_exact(&mut [0; 100]).ok()?;
        // SO_LINGER is not needed: what is unread makes the kernel reset the connection.
        return None;
    }
    stream.read_to_end(&mut read).ok()?;
    kept.lock().unwrap().push(read);
    stream.conn.send_close_notify();
    stream.flush().ok()
}

fn value<'a>(message: &'a str, name: &str) -> &'a str {
    let after = message.split_once(&format!(" {name}=\"")).unwrap_or_else(|| panic!("no {name}: {message}")).1;
    after.split_once('"').unwrap().0
}

fn words<'a>(to: &'a str, who: &'a [String; 3]) -> Vec<&'a str> {
    let [ca, certificate, key] = who;
    let files = ["--ca", ca, "--certificate", certificate, "--key", key];
    [&["audit", "forward", "--to", to, "--server-name", "localhost", "--cursor", "cursor"], &files[..]].concat()
}

fn files(name: &str) -> [String; 3] {
    ["ca", "pem", "key"].map(|end| format!("{name}.{end}"))
}

fn cursor(site: &Site) -> Option<u64> {
    let text = fs::read_to_string(site.path("cursor")).ok()?;
    let line = text.lines().nth(1).expect("a whole cursor at any moment");
    Some(line.split_once(' ').unwrap().0.parse().unwrap())
}

#[test]
fn each_record_comes_whole_in_order_and_what_a_receiver_dropped_comes_again() {
    let site = Site::with_partition("tòa \"án\"]");
    let (authority, stranger) = (Authority::new(), Authority::new());
    authority.write(&site, "hsm");
    stranger.write(&site, "stranger");
    let receiver = Receiver::start(&authority);
    let (to, ours) = (receiver.address.to_string(), files("hsm"));
    // Dropped in the middle: an error, and the cursor has not moved.
    receiver.drops.store(1, Ordering::SeqCst);
    let once = [words(&to, &ours), vec!["--once"]].concat();
    let said = site.fails(&once);
    assert!(said.contains("sent again"), "{said}");
    assert_eq!(cursor(&site), None);
    let sent = site.does(&once);
    let records = receiver.records();
    assert_eq!(sent["delivered"], records.len());
    assert_eq!(cursor(&site), records.keys().next_back().copied());
    let chain: Vec<Vec<u8>> = records.into_values().collect();
    verify_chain(&Native::new(), &chain).unwrap();
    let messages = receiver.messages();
    assert!(
        messages.iter().all(|m| m.starts_with("<110>1 20") && m.contains(" coloa - ") && m.contains("[coloa@32473 "))
    );
    // Nothing is new: nothing is sent. Then only what is new.
    assert_eq!(site.does(&once)["delivered"], 0);
    site.create("tax");
    let more = site.does(&once);
    assert!(
        more["delivered"].as_u64() >= Some(1) && receiver.messages().len() as u64 == more["last"].as_u64().unwrap()
    );
    // A sender whom nobody there certified, and a receiver whom nobody here knows.
    site.create("land");
    let mut mixed = files("stranger");
    mixed[0] = "hsm.ca".into();
    assert!(site.fails(&[words(&to, &mixed), vec!["--once"]].concat()).contains("did not take"));
    let mut mixed = files("hsm");
    mixed[0] = "stranger.ca".into();
    assert!(site.fails(&[words(&to, &mixed), vec!["--once"]].concat()).contains("did not take"));
    assert_eq!(cursor(&site), more["last"].as_u64());
}

#[test]
fn whoever_is_killed_at_whatever_moment_no_record_is_missed() {
    let mut site = Site::with_partition("court");
    let authority = Authority::new();
    authority.write(&site, "hsm");
    let receiver = Receiver::start(&authority);
    let (to, ours) = (receiver.address.to_string(), files("hsm"));
    let mut last = 0;
    for round in 0..12_u64 {
        receiver.drops.store(usize::from(round % 3 == 0), Ordering::SeqCst);
        site.create(&format!("organ-{round}"));
        let mut sender = site.command(&words(&to, &ours)).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(15 * round));
        if round % 4 == 1 {
            site.kill();
            site.start();
        }
        sender.kill().unwrap();
        sender.wait().unwrap();
        let now = cursor(&site).unwrap_or(0);
        assert!(now >= last, "the cursor went back");
        last = now;
    }
    let mut sender = site.command(&words(&to, &ours)).stderr(Stdio::null()).spawn().unwrap();
    let end = site.does(&["audit", "export", "--out", "audit.cbor"])["last"].as_u64().unwrap();
    let since = Instant::now();
    while cursor(&site).unwrap_or(0) < end {
        assert!(since.elapsed() < Duration::from_secs(60), "{:?} of {end}", cursor(&site));
        std::thread::sleep(Duration::from_millis(20));
    }
    sender.kill().unwrap();
    sender.wait().unwrap();
    let records: Vec<Vec<u8>> = receiver.records().into_values().collect();
    assert!(records.len() as u64 >= end);
    verify_chain(&Native::new(), &records).unwrap();
    // Another device's log does not go on from this cursor.
    let other = Site::with_partition("court");
    for name in ["cursor", "hsm.ca", "hsm.pem", "hsm.key"] {
        fs::copy(site.path(name), other.path(name)).unwrap();
    }
    let said = other.fails(&[words(&to, &ours), vec!["--once"]].concat());
    assert!(said.contains("is not in it") || said.contains("does not follow"), "{said}");
}
