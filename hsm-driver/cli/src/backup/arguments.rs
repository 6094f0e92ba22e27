//! The command line of `coloa backup`.

use clap::{Subcommand, ValueEnum};
use std::path::PathBuf;

pub const EXAMPLES: &str = "\
Examples:
  coloa backup key create --threshold 2 --holder An --holder Bình --holder Cường --out-dir shares
  coloa backup create --out monday.bak
  coloa backup create --out tuesday.bak --since monday.bak
  coloa backup verify monday.bak tuesday.bak
  coloa backup restore monday.bak tuesday.bak --share an.txt --share cuong.txt

On the second device, initialised and without partitions, custodians may come one after the other:
  coloa backup restore monday.bak --step begin
  coloa backup give-share                          (each custodian, from a terminal)
  coloa backup restore monday.bak --step finish

Shares are read from files or typed at the terminal; never from the command line.";

#[derive(Subcommand)]
pub enum Backup {
    /// The master backup key, which custodians hold together
    #[command(subcommand)]
    Key(Key),
    /// Write an archive of everything in the partitions
    Create {
        /// The archive; it must not exist
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Only what has changed since this archive
        #[arg(long, value_name = "FILE")]
        since: Option<PathBuf>,
    },
    /// What an archive says of itself, without the key
    Show {
        /// The archive
        file: PathBuf,
    },
    /// Check archives: whole and in order here; with shares or --full also authentic, by a device
    Verify {
        /// A full archive, then the incremental ones that build on it, in order
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// File with a custodian's share; once for each
        #[arg(long = "share", value_name = "FILE")]
        shares: Vec<PathBuf>,
        /// Have the device that has the key check everything, or ask for shares
        #[arg(long)]
        full: bool,
    },
    /// Restore archives into an empty device
    Restore {
        /// A full archive, then the incremental ones that build on it, in order
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// File with a custodian's share; once for each. Without, they are asked for
        #[arg(long = "share", value_name = "FILE")]
        shares: Vec<PathBuf>,
        /// Only a part of it, so that custodians can give their shares from their own terminals
        #[arg(long, value_enum, conflicts_with = "shares")]
        step: Option<Step>,
    },
    /// A custodian gives a share to the restore that was begun
    GiveShare {
        /// File with the share; without, it is typed
        #[arg(long, value_name = "FILE")]
        share: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Step {
    /// Begin, and say whose shares are wanted
    Begin,
    /// Go on when the shares are given
    Finish,
}

#[derive(Subcommand)]
pub enum Key {
    /// Draw the key, split it, and hand out the shares
    Create {
        /// How many shares restore
        #[arg(long, value_name = "M")]
        threshold: u8,
        /// Who holds a share; once for each
        #[arg(long = "holder", required = true, value_name = "NAME")]
        holders: Vec<String>,
        /// Folder for a file (mode 0600) for each holder; without, shares are shown one at a time
        #[arg(long, value_name = "DIR")]
        out_dir: Option<PathBuf>,
    },
    /// Hand out shares that were not taken yet
    HandOut {
        /// Only this holder's
        #[arg(long, value_name = "NAME")]
        holder: Option<String>,
        /// Folder for a file (mode 0600) for each holder; without, shares are shown one at a time
        #[arg(long, value_name = "DIR")]
        out_dir: Option<PathBuf>,
    },
    /// Which key there is, its check value, and who holds shares
    Show,
}
