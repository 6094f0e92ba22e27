//! Sites by the hundred in this process: each with its own key, certificate and address, and a control side of its own that
//! was written from the protocol and not from the daemon's code.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P384_SHA384};
use rustls::ClientConnection;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};

use crate::authority::Authority;
use crate::network::{BLACK, Network};

/// How long anything may take here.
const PATIENCE: Duration = Duration::from_secs(60);
const HELLO: u8 = 1;
const READY: u8 = 3;
const ALIVE: u8 = 4;

/// A site: who it is, and where.
pub struct Site {
    pub name: String,
    identity: String,
    pub address: Ipv4Addr,
    tls: Arc<ClientConfig>,
}

/// A site whose control connection is up.
pub struct Joined {
    tls: ClientConnection,
    tcp: TcpStream,
    /// Octets of the handshake and the negotiation, in both directions.
    pub octets: u64,
}

/// Makes sites, and signs the policy that lets each of them talk to site a.
pub fn make(authority: &Authority, count: usize) -> Vec<Arc<Site>> {
    make_with(authority, count, |_, _| {})
}

/// The same with certificates that differ, by number, from good ones.
pub fn make_with(
    authority: &Authority,
    count: usize,
    differ: impl Fn(usize, &mut CertificateParams),
) -> Vec<Arc<Site>> {
    let read = |name: &str| std::fs::read_to_string(authority.path(name)).expect("a file of the authority");
    let key = KeyPair::from_pem(&read("ca.key")).expect("the authority's key");
    let issuer = Issuer::from_ca_cert_pem(&read("ca.pem"), key).expect("the authority's certificate");
    let issuing = CertificateDer::from_pem_slice(read("ca.pem").as_bytes()).expect("a certificate");
    let make = |number| {
        let mut params = good(number);
        differ(number, &mut params);
        Arc::new(Site::make(number, params, &issuer, &issuing))
    };
    let sites: Vec<_> = (0..count).map(make).collect();
    let identity = authority.identity("a");
    let mut text = format!("serial = 6\n[[site]]\nname = \"a\"\nidentity = \"{identity}\"\nred = [\"10.71.0.0/24\"]\n");
    for (number, site) in sites.iter().enumerate() {
        let (name, identity, red) = (&site.name, &site.identity, red(number));
        text += &format!("[[site]]\nname = \"{name}\"\nidentity = \"{identity}\"\nred = [\"{red}\"]\n");
        text += &format!("[[link]]\nbetween = [\"a\", \"{name}\"]\n");
    }
    authority.sign_text("policy", &text);
    sites
}

fn name(number: usize) -> String {
    format!("site-{number}")
}

/// A good certificate.
fn good(number: usize) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.distinguished_name.push(rcgen::DnType::CommonName, name(number));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.serial_number = Some(serial(number).to_vec().into());
    params.use_authority_key_identifier_extension = true;
    params
}

fn red(number: usize) -> String {
    format!("10.{}.{}.0/24", 100 + number / 256, number % 256)
}

/// The far end of the black wire: addresses for any number of sites, and a runtime there.
pub struct FarEnd<'n> {
    network: &'n Network,
    runtime: Runtime,
}

impl FarEnd<'_> {
    /// Works there until it is done.
    pub fn run<T: Send>(&self, work: impl Future<Output = T> + Send) -> T {
        self.network.black[1].inside(|| self.runtime.block_on(work))
    }
}

/// Prepares the far end.
pub fn far_end(network: &Network) -> FarEnd<'_> {
    network.black[1].good("ip", &["route", "add", "local", "10.99.0.0/16", "dev", "lo"]);
    network.black[0].good("ip", &["route", "add", "10.99.0.0/16", "via", BLACK[1]]);
    let runtime = network.black[1]
        .inside(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime"));
    FarEnd { network, runtime }
}

/// An address of the far end.
pub fn address(number: usize) -> Ipv4Addr {
    let [.., high, low] = u32::try_from(number + 1).expect("small").to_be_bytes();
    Ipv4Addr::new(10, 99, high, low)
}

/// The hub's control port.
pub fn hub() -> SocketAddr {
    format!("{}:4500", BLACK[0]).parse().expect("address")
}

/// A TCP connection to the hub from one of the far end's addresses.
pub async fn connect(from: Ipv4Addr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(from.into(), 0))?;
    socket.connect(hub()).await
}

impl Site {
    fn make(
        number: usize,
        params: CertificateParams,
        issuer: &Issuer<'_, KeyPair>,
        issuing: &CertificateDer<'static>,
    ) -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect("a key");
        let name = name(number);
        let certificate = params.signed_by(&key, issuer).expect("a certificate");
        let spki = rcgen::PublicKeyData::subject_public_key_info(&key);
        let digest = ::aws_lc_rs::digest::digest(&::aws_lc_rs::digest::SHA256, &spki);
        let identity = digest.as_ref().iter().map(|octet| format!("{octet:02x}")).collect();
        let chain = vec![certificate.der().clone(), issuing.clone()];
        let secret = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        Self { name, identity, address: address(number), tls: client(chain, secret) }
    }

    /// Dials the hub and negotiates an epoch, as a site does.
    pub async fn join(&self) -> io::Result<Joined> {
        let mut joined = self.shake().await?;
        joined.negotiate().await?;
        Ok(joined)
    }

    /// Dials the hub and completes the handshake, no more.
    pub async fn shake(&self) -> io::Result<Joined> {
        let work = async {
            let tcp = connect(self.address).await?;
            tcp.set_nodelay(true)?;
            let name = ServerName::try_from("coloa-link").expect("a name");
            let tls = ClientConnection::new(self.tls.clone(), name).map_err(io::Error::other)?;
            let mut joined = Joined { tls, tcp, octets: 0 };
            while joined.tls.is_handshaking() {
                joined.flush().await?;
                if joined.tls.is_handshaking() {
                    joined.fill().await?;
                }
            }
            joined.flush().await?;
            Ok(joined)
        };
        tokio::time::timeout(PATIENCE, work).await?
    }
}

/// The serial number of a site's certificate, for a revocation list.
pub fn serial(number: usize) -> [u8; 4] {
    u32::try_from(0x4000_0000 + number).expect("small").to_be_bytes()
}

impl Joined {
    /// Hello and ready, both ways.
    pub async fn negotiate(&mut self) -> io::Result<()> {
        let newest = self.hello().await?;
        self.ready(newest + 1).await
    }

    /// Says hello; the answer is the newest epoch that the hub knows.
    pub async fn hello(&mut self) -> io::Result<u64> {
        let port = 4500u16.to_be_bytes();
        self.say(&[&[HELLO], &[0; 16][..], &port].concat()).await?;
        let theirs: [u8; 19] = self.hear().await?;
        let newest = theirs.get(1..9).expect("an epoch").try_into().expect("eight octets");
        if theirs.first() == Some(&HELLO) { Ok(u64::from_be_bytes(newest)) } else { Err(io::Error::other("no hello")) }
    }

    /// Says that this epoch receives, and hears the same.
    pub async fn ready(&mut self, epoch: u64) -> io::Result<()> {
        let ready = [&[READY], &epoch.to_be_bytes()[..]].concat();
        self.say(&ready).await?;
        let theirs: [u8; 9] = self.hear().await?;
        if theirs.as_slice() == ready { Ok(()) } else { Err(io::Error::other("not ready")) }
    }

    /// Says that it lives, and hears the same.
    pub async fn is_alive(&mut self) -> io::Result<()> {
        self.say(&[ALIVE]).await?;
        let theirs: [u8; 1] = self.hear().await?;
        if theirs == [ALIVE] { Ok(()) } else { Err(io::Error::other("not alive")) }
    }

    /// Waits until the hub ends the connection.
    pub async fn ended(&mut self) {
        let _: io::Result<[u8; 64]> = self.hear().await;
    }

    pub async fn say(&mut self, message: &[u8]) -> io::Result<()> {
        self.tls.writer().write_all(message)?;
        self.flush().await
    }

    pub async fn hear<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let (mut octets, mut have) = ([0; N], 0);
        while have < N {
            match self.tls.reader().read(&mut octets[have..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => have += count,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    tokio::time::timeout(PATIENCE, self.fill()).await??;
                }
                Err(e) => return Err(e),
            }
        }
        Ok(octets)
    }

    async fn fill(&mut self) -> io::Result<()> {
        let mut octets = [0; 16384];
        self.tcp.readable().await?;
        let count = match self.tcp.try_read(&mut octets) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            other => other?,
        };
        self.octets += count as u64;
        let mut left = &octets[..count];
        while !left.is_empty() {
            self.tls.read_tls(&mut left)?;
            self.tls.process_new_packets().map_err(io::Error::other)?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> io::Result<()> {
        let mut octets = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut octets)?;
        }
        self.octets += octets.len() as u64;
        let mut left = octets.as_slice();
        while !left.is_empty() {
            self.tcp.writable().await?;
            match self.tcp.try_write(left) {
                Ok(count) => left = &left[count..],
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

fn client(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Arc<ClientConfig> {
    let provider = Arc::new(CryptoProvider {
        cipher_suites: vec![aws_lc_rs::cipher_suite::TLS13_AES_256_GCM_SHA384],
        kx_groups: vec![aws_lc_rs::kx_group::X25519MLKEM768],
        ..aws_lc_rs::default_provider()
    });
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trusting(provider)))
        .with_client_auth_cert(chain, key)
        .expect("a certificate");
    config.alpn_protocols = vec![b"coloa-link/3".to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Arc::new(config)
}

/// These sites take any chain for the hub's, but its signature has to be right: what is tested is the hub.
#[derive(Debug)]
struct Trusting(Arc<CryptoProvider>);

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP384_SHA384, SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}
