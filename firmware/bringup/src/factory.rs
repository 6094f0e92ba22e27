//! The factory page: what manufacture writes into a board, once.
//!
//! ```text
//! "CLFP"  version: u16  length: u32  body: CBOR, numbered fields  SHA-256 of all before
//! ```
//! Numbers are big-endian. The digest tells a page from worn or half-written flash; it does not authenticate it. Whoever can
//! write this page owns the board: on real hardware it lies in memory that is locked after manufacture, and the root key in
//! the controller's key storage. QEMU has neither: there the root key and the private key lie readable in a file.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use coloa_image::{Refusal, Trust};
use coloa_wire::Identity;
use coloa_wire::command::PartitionMode;
use embedded_storage::nor_flash::ReadNorFlash;
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::layout::FACTORY;

const MAGIC: &[u8; 4] = b"CLFP";
const VERSION: u16 = 2;
const HEADER: usize = MAGIC.len() + 2 + 4;
const DIGEST: usize = 32;
/// More than any page needs; less than [`crate::layout::FACTORY`].
const MAX_BODY: usize = 32 * 1024;

/// The contents of the page. Secrets in it are wiped on drop; it has no `Debug`.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct FactoryPage {
    /// Serial number of the device, as on its case.
    #[n(0)]
    pub serial: String,
    /// When it was made, seconds since 1970 UTC: the clock starts here at each boot, so that certificates can be checked.
    #[n(1)]
    pub manufactured: u64,
    /// The channel certificate and its issuers, DER, leaf first.
    #[n(2)]
    pub certificate_chain: Vec<ByteVec>,
    /// The channel's private key, PKCS#8 DER.
    #[n(3)]
    pub private_key: ByteVec,
    /// Under which a client certificate must chain, DER.
    #[n(4)]
    pub client_anchors: Vec<ByteVec>,
    /// Who may use the board's partition. Nobody else may (R22).
    #[n(5)]
    pub clients: Vec<Client>,
    /// The device's root key, 32 bytes: it seals the partitions' KEKs.
    #[n(6)]
    pub root_key: ByteVec,
    /// Only on a board without a random number generator: a seed that is not random to whoever holds the flash.
    #[n(7)]
    pub insecure_seed: Option<ByteVec>,
    /// The board's address in its network.
    #[n(8)]
    pub address: Address,
    /// The rules of the board's partition (ARCHITECTURE decision 8), for life.
    #[n(9)]
    pub mode: PartitionMode,
    /// Whose signatures firmware needs, and how many of them (R23): what [`coloa_image::Trust::to_bytes`] wrote.
    #[n(10)]
    pub firmware: ByteVec,
}

/// A client of the board.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Client {
    /// SHA-256 of its certificate's DER.
    #[n(0)]
    pub identity: Identity,
    /// A name for lists, at most 64 bytes of UTF-8.
    #[n(1)]
    pub name: String,
}

/// An IPv4 address with its network.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Address {
    /// The board's own.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub own: [u8; 4],
    /// Bits of the network's prefix, at most 32.
    #[n(1)]
    pub prefix: u8,
    /// The router.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub gateway: [u8; 4],
    /// TCP port of the channel.
    #[n(3)]
    pub port: u16,
}

/// Why a page cannot be used. Each says what to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageError {
    /// The flash cannot be read.
    Unreadable,
    /// There is none: the flash is empty or holds something else.
    Missing,
    /// It is from a manufacture that this firmware does not go with.
    Version(u16),
    /// Its digest is wrong, or it is cut off.
    Damaged,
    /// It is whole, but a field is not as it should be.
    Invalid,
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable => f.write_str("the flash cannot be read: replace the board"),
            Self::Missing => f.write_str("no factory page in flash: provision the board first"),
            Self::Version(found) => {
                write!(
                    f,
                    "factory page of version {found}, this firmware knows {VERSION}: provision the board again, or install the firmware for it"
                )
            }
            Self::Damaged => f.write_str("factory page is damaged: provision the board again"),
            Self::Invalid => f.write_str("factory page has a wrong field: provision the board again"),
        }
    }
}

impl FactoryPage {
    /// Bytes to write at [`crate::layout::FACTORY`].
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut body = Vec::new();
        // Writing to memory does not fail.
        let _ = minicbor::encode(self, &mut body);
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let mut page = [&MAGIC[..], &VERSION.to_be_bytes(), &length.to_be_bytes(), &body].concat();
        page.extend(Sha256::digest(&page));
        body.zeroize();
        page
    }

    /// Reads the page of a board.
    ///
    /// # Errors
    /// See [`PageError`].
    pub fn read<F: ReadNorFlash>(flash: &mut F) -> Result<Self, PageError> {
        let mut bytes = Zeroizing::new(vec![0; FACTORY.len()]);
        flash.read(FACTORY.start, &mut bytes).map_err(|_| PageError::Unreadable)?;
        Self::parse(&bytes)
    }

    /// Reads a page from the start of `flash`; what follows it does not matter.
    pub fn parse(flash: &[u8]) -> Result<Self, PageError> {
        let rest = flash.strip_prefix(MAGIC).ok_or(PageError::Missing)?;
        let (version, rest) = rest.split_first_chunk().ok_or(PageError::Damaged)?;
        let version = u16::from_be_bytes(*version);
        if version != VERSION {
            return Err(PageError::Version(version));
        }
        let (length, rest) = rest.split_first_chunk().ok_or(PageError::Damaged)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| PageError::Damaged)?;
        let (body, rest) = rest.split_at_checked(length.min(MAX_BODY)).ok_or(PageError::Damaged)?;
        let digest = rest.get(..DIGEST).ok_or(PageError::Damaged)?;
        let covered = flash.get(..HEADER.saturating_add(body.len())).ok_or(PageError::Damaged)?;
        if digest != Sha256::digest(covered).as_slice() {
            return Err(PageError::Damaged);
        }
        let page: Self = minicbor::decode(body).map_err(|_| PageError::Invalid)?;
        if page.is_valid() { Ok(page) } else { Err(PageError::Invalid) }
    }

    /// Whose signatures firmware needs.
    ///
    /// # Errors
    /// [`Refusal::Trust`]; not of a page that was parsed.
    pub fn firmware_trust(&self) -> Result<Trust, Refusal> {
        Trust::parse(&self.firmware)
    }

    fn is_valid(&self) -> bool {
        self.root_key.len() == 32
            && self.address.prefix <= 32
            && !self.certificate_chain.is_empty()
            && !self.client_anchors.is_empty()
            && Trust::parse(&self.firmware).is_ok()
            && self.insecure_seed.as_ref().is_none_or(|seed| seed.len() >= 32)
    }
}

impl Drop for FactoryPage {
    fn drop(&mut self) {
        self.private_key.zeroize();
        self.root_key.zeroize();
        if let Some(seed) = &mut self.insecure_seed {
            seed.zeroize();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> FactoryPage {
        FactoryPage {
            serial: "QEMU-1".into(),
            manufactured: 1_767_225_600,
            certificate_chain: vec![vec![1; 300].into()],
            private_key: vec![2; 138].into(),
            client_anchors: vec![vec![3; 300].into()],
            clients: vec![Client { identity: Identity([4; 32]), name: "registry".into() }],
            root_key: vec![5; 32].into(),
            insecure_seed: Some(vec![6; 48].into()),
            address: Address { own: [10, 0, 2, 15], prefix: 24, gateway: [10, 0, 2, 2], port: 7443 },
            mode: PartitionMode::Strict,
            firmware: trust().to_bytes().into(),
        }
    }

    fn trust() -> Trust {
        let custodian = |n| coloa_image::Custodian { name: "c".into(), key: vec![n; coloa_image::KEY] };
        Trust::new(2, vec![custodian(1), custodian(2)]).unwrap()
    }

    #[test]
    fn a_page_without_custodians_of_firmware_is_refused() {
        let mut open = page();
        open.firmware = vec![].into();
        assert_eq!(FactoryPage::parse(&open.to_bytes()).err(), Some(PageError::Invalid));
        assert_eq!(page().firmware_trust(), Ok(trust()));
    }

    #[test]
    fn a_page_survives_flash_with_whatever_follows_it() {
        let mut flash = page().to_bytes();
        flash.resize(65536, 0xff);
        let read = FactoryPage::parse(&flash).unwrap();
        assert_eq!(read.serial, "QEMU-1");
        assert_eq!(read.address, page().address);
        assert_eq!(read.to_bytes(), page().to_bytes());
    }

    #[test]
    fn empty_flash_has_no_page_and_a_newer_page_is_named() {
        assert_eq!(FactoryPage::parse(&[0xff; 4096]).err(), Some(PageError::Missing));
        let mut newer = page().to_bytes();
        newer[5] = 9;
        assert_eq!(FactoryPage::parse(&newer).err(), Some(PageError::Version(9)));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let good = page().to_bytes();
        for byte in 0..good.len() {
            let mut bad = good.clone();
            bad[byte] ^= 1 << (byte % 8);
            assert!(FactoryPage::parse(&bad).is_err(), "bit of byte {byte}");
            assert!(FactoryPage::parse(&good[..byte]).is_err(), "cut at {byte}");
        }
    }

    #[test]
    fn a_short_root_key_is_refused() {
        let mut short = page();
        short.root_key = vec![5; 16].into();
        assert_eq!(FactoryPage::parse(&short.to_bytes()).err(), Some(PageError::Invalid));
    }
}
