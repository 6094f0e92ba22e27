//! The words of `coloa attest`.

use crate::arguments::UserPin;
use clap::{Args, Subcommand};
use std::path::PathBuf;

pub const EXAMPLES: &str = "\
Examples:
  coloa audit certificates --out rack-1                  # once, at the ceremony: rack-1-device.pem is the root
  COLOA_CONF=court-srv-1/coloa.toml coloa attest key --token court --key seal --nonce 5f1e77c0 --out seal.att
  coloa attest verify seal.att --root rack-1-device.pem --nonce 5f1e77c0        # on any machine, without the device
  coloa attest verify seal.att --root rack-1-device.pem --public seal.pub --image 3c9f…
  coloa attest split seal.att --out seal                 # for OpenSSL: certificates, statement, signature
  openssl verify -CAfile seal-device.pem -untrusted seal-attestation.pem seal-key.pem
  openssl dgst -sha384 -verify <(openssl x509 -in seal-attestation.pem -noout -pubkey) \\
      -signature seal-signature.der seal-signed.bin";

#[derive(Subcommand)]
pub enum Attest {
    /// Have the device say what it knows of a key: drawn where, may it leave, what for. The user, by COLOA_CONF
    Key(AttestKey),
    /// Check such a file offline: certificates, signature, and what is asked of the statement
    Verify(AttestVerify),
    /// Write a file's parts as OpenSSL reads them: PREFIX-device.pem, -attestation.pem, -key.pem, -signed.bin, -signature.der
    Split {
        /// The file
        file: PathBuf,
        /// The beginning of the files' names
        #[arg(long, value_name = "PREFIX")]
        out: PathBuf,
    },
}

#[derive(Args)]
pub struct AttestKey {
    /// The token's label
    #[arg(long, value_name = "LABEL")]
    pub token: String,
    /// The key's id, label or check value; of a pair the private half
    #[arg(long, value_name = "KEY", visible_aliases = ["label", "id"])]
    pub key: String,
    /// Of whoever asks, so that no old answer is taken for a new one; at most 64 bytes
    #[arg(long, value_name = "HEX", default_value = "")]
    pub nonce: Hex,
    /// The file; it must not exist
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    #[command(flatten)]
    pub user: UserPin,
}

#[derive(Args)]
pub struct AttestVerify {
    /// The file
    pub file: PathBuf,
    /// The device's certificate, PEM, as it was taken at the ceremony
    #[arg(long, value_name = "FILE")]
    pub root: Option<PathBuf>,
    /// The public key, PEM, that must be the one
    #[arg(long, value_name = "FILE")]
    pub public: Option<PathBuf>,
    /// The nonce that was asked with
    #[arg(long, value_name = "HEX")]
    pub nonce: Option<Hex>,
    /// The SHA-384 of the image that must have run
    #[arg(long, value_name = "HEX")]
    pub image: Option<Hex>,
}

/// Bytes, typed as hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hex(pub Vec<u8>);

impl std::str::FromStr for Hex {
    type Err = String;

    fn from_str(digits: &str) -> Result<Self, String> {
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(digits.as_bytes());
        bytes.map(Hex).map_err(|error| format!("not hexadecimal: {error}"))
    }
}
