//! The command line of `coloa firmware`.

use crate::arguments::CustodianSet;
use crate::custodian::arguments::Signer;
use clap::{Args, Subcommand};
use coloa_image::Version;
use std::path::PathBuf;

pub const EXAMPLES: &str = "\
Examples:
  coloa firmware trust --custodian An=an.pub --custodian Bình=binh.pub --custodian Chi=chi.pub --threshold 2 --out trust
  coloa firmware new board.bin --body mps2-an386 --version 1.2.0 --lowest 1.1.0 --out board.clfw
  coloa firmware sign board.clfw --image board.bin --key an.key                     # on An's machine
  coloa firmware sign board.clfw --image board.bin --module /usr/lib/opensc-pkcs11.so --token Binh --label quorum
  coloa firmware verify board.clfw --image board.bin --trust trust

`trust` is given to a device when it is made; who holds these keys need not be a custodian of any device.";

#[derive(Subcommand)]
pub enum Firmware {
    /// Write down whose signatures firmware needs, and how many of them
    Trust {
        #[command(flatten)]
        custodians: CustodianSet,
        /// The list; it must not exist
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Begin a release: measure an image and say what it is; nobody has signed it yet
    New {
        /// The image, as it is loaded
        image: PathBuf,
        /// What it is for: `appliance`, or a board's name
        #[arg(long, value_name = "NAME")]
        body: String,
        /// Its version
        #[arg(long, value_name = "N.N.N", value_parser = version)]
        version: Version,
        /// The lowest version that may run once this one has run
        #[arg(long, value_name = "N.N.N", value_parser = version)]
        lowest: Version,
        /// The manifest; it must not exist
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Sign a release as one of its custodians
    Sign(Sign),
    /// What a manifest says, and who has signed it
    Show {
        /// The manifest
        manifest: PathBuf,
        /// Whose signatures count; without it nobody's is checked
        #[arg(long, value_name = "FILE")]
        trust: Option<PathBuf>,
    },
    /// Check an image as a device does
    Verify {
        /// The manifest
        manifest: PathBuf,
        /// The image
        #[arg(long, value_name = "FILE")]
        image: PathBuf,
        /// Whose signatures it needs
        #[arg(long, value_name = "FILE")]
        trust: PathBuf,
        /// What it must be for
        #[arg(long, value_name = "NAME")]
        body: Option<String>,
        /// The lowest version that may run
        #[arg(long, value_name = "N.N.N", value_parser = version)]
        lowest: Option<Version>,
    },
}

#[derive(Args)]
pub struct Sign {
    /// The manifest; the signature is added to it
    pub manifest: PathBuf,
    /// The image that one has built or tested oneself: it must be the one
    #[arg(long, value_name = "FILE")]
    pub image: PathBuf,
    /// Type "release" here instead of at the prompt
    #[arg(long, value_name = "WORD")]
    pub confirm: Option<String>,
    #[command(flatten)]
    pub by: Signer,
}

fn version(text: &str) -> Result<Version, &'static str> {
    text.parse().map_err(|()| "three numbers, such as 1.2.0; the last two below 1000")
}
