//! Releases: an image with its manifest, signed by the custodians that [`crate::provision()`] made, in a slot of the flash.
//!
//! For development: the custodians' keys lie in files beside the flash. `coloa firmware` signs with custodians' own keys.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use aws_lc_rs::digest::{SHA384, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use coloa_bringup::layout::{IMAGE, SECTOR, SLOTS};
use coloa_image::{Custodian, KEY_ID, Manifest, Statement, Trust, Version, Voice};
use coloa_xtask::image::flat;
use rcgen::KeyPair;
use rcgen::PKCS_ECDSA_P384_SHA384;

use crate::image::Firmware;
use crate::provision::Provisioned;

/// What manifests call this board.
pub const BODY: &str = "mps2-an386";
/// How many custodians there are, and how many of them release.
pub const CUSTODIANS: usize = 3;
/// See [`CUSTODIANS`].
pub const THRESHOLD: u8 = 2;

/// An image and what its manifest says of it.
#[derive(Clone, Copy, Debug)]
pub struct Release<'a> {
    /// What it is for: [`BODY`], or with `-return` behind it a page that a tampered board may have.
    pub body: &'a str,
    /// As [`flat`] makes it.
    pub image: &'a [u8],
    /// Its version, such as `1.2.0`.
    pub version: &'a str,
    /// The lowest that may run once it has run.
    pub lowest: &'a str,
}

impl Release<'_> {
    /// The manifest, signed by the custodians with these numbers, from 0.
    pub fn manifest(&self, files: &Provisioned, signers: &[usize]) -> Result<Vec<u8>> {
        let read = |text: &str| text.parse::<Version>().map_err(|()| anyhow!("{text} is no version"));
        let digest = digest(&SHA384, self.image).as_ref().try_into()?;
        let (version, lowest) = (read(self.version)?, read(self.lowest)?);
        let statement = Statement { body: self.body.into(), version, lowest, length: self.image.len() as u64, digest };
        let mut manifest = Manifest::new(statement).map_err(|why| anyhow!("{why}"))?;
        for signer in signers {
            let key = files.custodians.get(*signer).context("there is no such custodian")?;
            let voice = voice(&fs::read_to_string(key)?, &manifest.text())?;
            manifest.add(voice).map_err(|why| anyhow!("{why}"))?;
        }
        Ok(manifest.to_bytes())
    }
}

/// Puts a manifest and an image into a slot, 0 or 1: erased first, the manifest last, so that a cut leaves none.
pub fn install(flash: &Path, slot: usize, manifest: &[u8], image: &[u8]) -> Result<()> {
    let place = SLOTS.get(slot).context("there are two slots")?;
    ensure!(place.start + IMAGE + u32::try_from(image.len())? <= place.end, "the image is longer than a slot");
    let mut file = fs::OpenOptions::new().write(true).open(flash)?;
    let mut put = |at: u32, bytes: &[u8]| -> Result<()> {
        file.seek(SeekFrom::Start(at.into()))?;
        file.write_all(bytes)?;
        Ok(file.sync_data()?)
    };
    put(place.start, &[0xff; SECTOR as usize])?;
    put(place.start + IMAGE, image)?;
    put(place.start, manifest)
}

/// Makes this firmware version 0.1.0 and puts it into slot A, signed by two custodians.
pub fn install_new(files: &Provisioned, firmware: &Firmware) -> Result<()> {
    let image = flat(&fs::read(&firmware.image)?)?;
    let release =
        Release { body: BODY, image: &image, version: env!("CARGO_PKG_VERSION"), lowest: env!("CARGO_PKG_VERSION") };
    install(&files.flash, 0, &release.manifest(files, &[0, 1])?, &image)
}

/// Keys of custodians, PKCS#8 PEM, and the list of them for the factory page.
pub(crate) fn custodians() -> Result<(Vec<String>, Trust)> {
    let keys = (0..CUSTODIANS).map(|_| Ok(KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?));
    let keys = keys.collect::<Result<Vec<_>>>()?;
    let named = keys
        .iter()
        .enumerate()
        .map(|(n, key)| Custodian { name: format!("custodian {n}"), key: key.public_key_raw().to_vec() });
    let trust = Trust::new(THRESHOLD, named.collect()).map_err(|why| anyhow!("{why}"))?;
    Ok((keys.iter().map(KeyPair::serialize_pem).collect(), trust))
}

fn voice(pem: &str, text: &[u8]) -> Result<Voice> {
    let der = KeyPair::from_pem(pem)?.serialize_der();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &der)?;
    let id = *digest(&SHA384, key.public_key().as_ref()).as_ref().first_chunk::<KEY_ID>().context("48 bytes")?;
    let signature = key.sign(&SystemRandom::new(), text)?.as_ref().try_into()?;
    Ok(Voice { key: id, signature })
}
