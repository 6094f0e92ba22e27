//! Manufacture: a channel authority, the board's identity, one client, and the flash that holds the board's part of it.

use std::fs;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use coloa_bringup::factory::{Address, Client};
use coloa_bringup::tamper::testament_bytes;
use coloa_bringup::{FactoryPage, layout};
use coloa_wire::Identity;
use coloa_wire::command::PartitionMode;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use sha2::{Digest, Sha256};

use crate::SERVER_NAME;
use crate::image::Firmware;
use crate::release::{CUSTODIANS, custodians, install_new};

/// What `mps2-an386` has at its flash's address.
const FLASH_BYTES: usize = 16 * 1024 * 1024;
/// The board's place in QEMU's user network.
const ADDRESS: Address =
    Address { own: [10, 0, 2, 15], prefix: 24, gateway: [10, 0, 2, 2], port: crate::qemu::GUEST_PORT };

/// Where everything is.
#[derive(Clone, Debug)]
pub struct Provisioned {
    /// The board's flash: erased but for the factory page.
    pub flash: PathBuf,
    /// The channel authority's certificate, PEM: what a client trusts.
    pub authority: PathBuf,
    /// The client's certificate, PEM. The page names it, so it may use the board's partition.
    pub client_certificate: PathBuf,
    /// The client's private key, PKCS#8 PEM.
    pub client_key: PathBuf,
    /// Private keys of the custodians of firmware, PKCS#8 PEM: the page names them, and two of them release (R23).
    pub custodians: Vec<PathBuf>,
}

/// Makes a new board as [`provision`] does, with this firmware in its flash.
pub fn manufacture(dir: &Path, mode: PartitionMode, firmware: &Firmware) -> Result<Provisioned> {
    let files = provision(dir, mode)?;
    install_new(&files, firmware)?;
    Ok(files)
}

/// Makes `flash.bin`, `ca.pem`, `client.pem`, `client.key` and the keys of custodians of firmware in `dir`: a new board, its
/// partition's rules and its one client; no firmware yet.
pub fn provision(dir: &Path, mode: PartitionMode) -> Result<Provisioned> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let files = Provisioned {
        flash: dir.join("flash.bin"),
        authority: dir.join("ca.pem"),
        client_certificate: dir.join("client.pem"),
        client_key: dir.join("client.key"),
        custodians: (0..CUSTODIANS).map(|n| dir.join(format!("custodian-{n}.key"))).collect(),
    };
    let (custodians, trust) = custodians()?;
    let authority = Authority::new()?;
    let board = authority.issue(&[SERVER_NAME, "localhost", "127.0.0.1"], ExtendedKeyUsagePurpose::ServerAuth)?;
    let client = authority.issue(&["client.coloa.test"], ExtendedKeyUsagePurpose::ClientAuth)?;
    let page = FactoryPage {
        serial: format!("QEMU-{}", hex(&random::<4>()?)),
        manufactured: SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(),
        certificate_chain: vec![board.der().into()],
        private_key: board.key.serialize_der().into(),
        client_anchors: vec![authority.certificate.der().to_vec().into()],
        clients: vec![Client { identity: Identity(Sha256::digest(client.der()).into()), name: "client".into() }],
        root_key: random::<32>()?.to_vec().into(),
        insecure_seed: Some(random::<48>()?.to_vec().into()),
        address: ADDRESS,
        mode,
        firmware: trust.to_bytes().into(),
    };
    let mut flash = page.to_bytes();
    flash.resize(FLASH_BYTES, 0xff);
    let testament = testament_bytes(&trust);
    flash.splice(place(&testament), testament.iter().copied());
    write(&files.flash, &flash)?;
    write(&files.authority, authority.certificate.pem().as_bytes())?;
    write(&files.client_certificate, client.certificate.pem().as_bytes())?;
    write(&files.client_key, client.key.serialize_pem().as_bytes())?;
    files.custodians.iter().zip(custodians).try_for_each(|(path, pem)| write(path, pem.as_bytes()))?;
    Ok(files)
}

/// Where the testament goes.
fn place(testament: &[u8]) -> std::ops::Range<usize> {
    let start = layout::TESTAMENT.start as usize;
    start..start + testament.len()
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

struct Issued {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Issued {
    fn der(&self) -> Vec<u8> {
        self.certificate.der().to_vec()
    }
}

impl Authority {
    fn new() -> Result<Self> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = params(&[], "Co Loa board channel authority")?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?;
        Ok(Self { issuer: Issuer::new(params, key), certificate })
    }

    fn issue(&self, names: &[&str], purpose: ExtendedKeyUsagePurpose) -> Result<Issued> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = params(names, names.first().copied().unwrap_or("unnamed"))?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![purpose];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Issued { certificate, key })
    }
}

fn params(names: &[&str], common_name: &str) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(2024, 1, 1);
    params.not_after = date_time_ymd(2046, 1, 1);
    Ok(params)
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes).context("cannot read /dev/urandom")?;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Keys are among these files: for the owner only.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    std::io::Write::write_all(&mut file, bytes)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flash_holds_a_page_and_is_otherwise_erased() {
        let dir = tempfile::tempdir().unwrap();
        let files = provision(dir.path(), PartitionMode::Strict).unwrap();
        let flash = fs::read(&files.flash).unwrap();
        assert_eq!(flash.len(), FLASH_BYTES);
        let page = FactoryPage::parse(&flash).unwrap();
        assert_eq!(page.clients.len(), 1);
        assert!(page.to_bytes().len() < layout::FACTORY.len());
        let counters = layout::BOOTS.start as usize..layout::TESTAMENT.start as usize;
        assert!(flash[counters].iter().all(|byte| *byte == 0xff));
        assert!(flash[layout::RETURN.start as usize..].iter().all(|byte| *byte == 0xff));
    }
}
