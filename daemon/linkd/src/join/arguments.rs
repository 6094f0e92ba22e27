//! What can be asked of `join`.

use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  coloa-linkd join commune-17.coloapkg --show       who it is for, until when; asks for nothing
  coloa-linkd join commune-17.coloapkg --trust /etc/coloa/package-roots.pem --module /usr/lib/libcoloa_pkcs11.so \\
      --token site --pin-file /etc/coloa/pin
The code of the activation letter is asked for, or read with --code-file or --code-fd. Afterwards the file `receipt` in the
folder goes back to the authority, and `coloa-linkd run --config /etc/coloa/link/link.toml` starts the link.
Exit status: 0 opened, 1 refused or failed.";

/// How a package is opened.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct JoinArgs {
    /// The package, as it came
    pub package: PathBuf,
    /// Roots of the authorities whose packages are believed (PEM)
    #[arg(long, value_name = "FILE", default_value = "/etc/coloa/package-roots.pem")]
    pub trust: PathBuf,
    /// Their revocation lists (PEM): a withdrawn package is then refused
    #[arg(long, value_name = "FILE")]
    pub crl: Option<PathBuf>,
    /// Only say what the package is
    #[arg(long)]
    pub show: bool,
    /// The site that this box is for; a package for another is refused
    #[arg(long, value_name = "NAME")]
    pub site: Option<String>,
    /// The folder that will be made, with link.toml and all that it names
    #[arg(long, value_name = "DIR", default_value = "/etc/coloa/link")]
    pub folder: PathBuf,
    /// Where the box remembers what it opened, and the daemon keeps its state
    #[arg(long, value_name = "DIR", default_value = "/var/lib/coloa-linkd")]
    pub state_dir: PathBuf,
    /// Socket of the daemon's status
    #[arg(long, value_name = "FILE", default_value = "/run/coloa-linkd.sock")]
    pub status_socket: PathBuf,
    /// The PKCS#11 module of the token that gets the key
    #[arg(long, value_name = "FILE", env = "PKCS11_MODULE", required_unless_present = "show")]
    pub module: Option<PathBuf>,
    /// Label of the token
    #[arg(long, value_name = "LABEL", required_unless_present = "show")]
    pub token: Option<String>,
    /// File with the token's user PIN; the daemon reads it too
    #[arg(long, value_name = "FILE", required_unless_present = "show")]
    pub pin_file: Option<PathBuf>,
    /// File with the activation code
    #[arg(long, value_name = "FILE")]
    pub code_file: Option<PathBuf>,
    /// Open file descriptor to read the activation code from
    #[arg(long, value_name = "N", conflicts_with = "code_file")]
    pub code_fd: Option<u32>,
    /// Name of this box in the receipt; its host name otherwise
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
    /// JSON instead of words
    #[arg(long)]
    pub json: bool,
}
