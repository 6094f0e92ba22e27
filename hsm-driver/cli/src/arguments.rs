//! The command line.

use crate::custodian::arguments::{SignedBy, TokenKey};
use crate::partition::arguments::Partition;
use clap::{Args, Parser, Subcommand, ValueEnum};
use coloa_wire::PartitionId;
use std::ffi::OsString;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  coloa init --label court-hsm-1 --custodian An=an.pub --custodian Bình=binh.pub --custodian Chi=chi.pub --threshold 2
  coloa partition create --label court --so-pin-file so.pin --user-pin-file user.pin
  coloa client enrol --partition court --name court-srv-1 --out court-srv-1
  COLOA_CONF=court-srv-1/coloa.toml coloa token list
  COLOA_CONF=court-srv-1/coloa.toml coloa doctor
  coloa link status
  coloa audit export --out audit.cbor && coloa audit verify audit.cbor

PINs are asked for, or read from a file, a descriptor or a systemd credential; never from the command line.";

const QUORUM_EXAMPLES: &str = "\
Examples, with the custodian on the spot:
  coloa quorum propose --reason 'the organ is closed' partition-destroy --partition court
  coloa quorum vote 5b1f --custodian An --key an.key
  coloa quorum execute 5b1f

with a custodian elsewhere:
  coloa quorum show 5b1f --out proposal.cbor
  coloa quorum sign proposal.cbor --custodian An --key an.key --out voice.cbor     # on An's machine
  coloa quorum bring voice.cbor

with the custodian's key in a smart card:
  coloa quorum vote 5b1f --custodian An --module /usr/lib/opensc-pkcs11.so --token An --label quorum";

const CUSTODIAN_EXAMPLES: &str = "\
Examples:
  coloa custodian new --out an.key                  # on An's machine; an.key.pub goes to the appliance
  coloa custodian new --module /usr/lib/opensc-pkcs11.so --token An --label quorum --out an.pub
  coloa custodian set --custodian An=an.pub --custodian Bình=binh.key.pub --custodian Chi=chi.key.pub --threshold 2";

/// Runs a Cổ Loa appliance: initialise it, make partitions, let clients in, read the audit log
#[derive(Parser)]
#[command(name = "coloa", version, after_help = EXAMPLES)]
pub struct Arguments {
    /// The appliance's local socket
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        env = "COLOA_ADMIN_SOCKET",
        default_value = "/run/coloa/coload.sock"
    )]
    pub socket: PathBuf,
    /// One JSON document instead of tables
    #[arg(long, global = true)]
    pub json: bool,
    /// Language of messages; else LC_ALL, LC_MESSAGES and LANG decide
    #[arg(long, global = true, value_enum)]
    pub lang: Option<Lang>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Lang {
    /// English
    En,
    /// Tiếng Việt
    Vi,
}

#[derive(Subcommand)]
pub enum Command {
    /// Make a new device operational: its serial number, its channel CA, its TLS port
    Init {
        /// The operator's name for the device, at most 32 bytes
        #[arg(long)]
        label: String,
        /// A custodian and the file with the public key, PEM; several times. Without any, an administrator acts alone
        #[arg(long = "custodian", value_name = "NAME=FILE", requires = "threshold")]
        custodians: Vec<String>,
        /// How many custodians are a quorum
        #[arg(long, value_name = "M", requires = "custodians")]
        threshold: Option<u32>,
    },
    /// What the device is and how it does
    Status,
    /// Destroy every key, PIN and record of the device, for good
    Zeroize {
        /// Type the serial number here instead of at the prompt
        #[arg(long, value_name = "SERIAL")]
        confirm: Option<String>,
    },
    /// Custodians: who has a voice in what one person must not do alone
    #[command(subcommand, after_help = CUSTODIAN_EXAMPLES)]
    Custodian(Custodian),
    /// Acts that need a quorum: propose, vote, execute
    #[command(subcommand, after_help = QUORUM_EXAMPLES)]
    Quorum(Quorum),
    /// Partitions: one organ's token each
    #[command(subcommand)]
    Partition(Partition),
    /// Clients: who may see which partition
    #[command(subcommand)]
    Client(Client),
    /// Keys: their states, what is said of them, their replacement and their end
    #[command(subcommand)]
    Key(crate::key::Key),
    /// Every device, client, partition and key, with totals that add up or say where they do not
    Inventory(crate::inventory::Inventory),
    /// What a month brought: as text, HTML or JSON
    Report(crate::inventory::Report),
    /// Keys and certificates that soon end
    Expiring(crate::inventory::Expiring),
    /// Auditors: who reads all and uses nothing
    #[command(subcommand)]
    Auditor(Auditor),
    /// What a device says of a key, signed, and whether that holds
    #[command(subcommand, after_help = crate::attest::arguments::EXAMPLES)]
    Attest(crate::attest::arguments::Attest),
    /// The audit log
    Audit(crate::audit::arguments::AuditArguments),
    /// Tokens, as an application with this configuration sees them
    #[command(subcommand)]
    Token(Token),
    /// Backups under a key that custodians hold together, and restoring them
    #[command(subcommand, after_help = crate::backup::arguments::EXAMPLES)]
    Backup(crate::backup::arguments::Backup),
    /// Key ceremonies: a script, its people, each step on record, minutes that are signed
    Ceremony(crate::ceremony::arguments::Arguments),
    /// Firmware images: what a quorum of custodians signs, and which versions may run
    #[command(subcommand, after_help = crate::firmware::arguments::EXAMPLES)]
    Firmware(crate::firmware::arguments::Firmware),
    /// Look for what is wrong between an application and its tokens, step by step
    Doctor(Doctor),
    /// PINs of a token, over the application's configuration
    #[command(subcommand)]
    Pin(PinCommand),
    /// The link encryptor: `coloa link status`, `coloa link why 10.1.2.3 10.9.8.7`, `coloa link --help`
    #[command(disable_help_flag = true)]
    Link {
        /// The words for coloa-linkd
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<OsString>,
    },
}

#[derive(Subcommand)]
pub enum Custodian {
    /// Make a custodian's key here: FILE (encrypted) and FILE.pub; or in a token, whose public half FILE is
    New {
        /// The key's file; it must not exist
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        passphrase: Passphrase,
        #[command(flatten)]
        token: TokenKey,
    },
    /// List the custodians, with the check values of their keys
    List,
    /// Name the custodians of a device that has none; later it takes a quorum (`coloa quorum propose custodians`)
    Set(CustodianSet),
}

#[derive(Args)]
pub struct CustodianSet {
    /// A custodian and the file with the public key, PEM; several times
    #[arg(long = "custodian", value_name = "NAME=FILE", required = true)]
    pub custodians: Vec<String>,
    /// How many of them are a quorum
    #[arg(long, value_name = "M")]
    pub threshold: u32,
}

#[derive(Subcommand)]
pub enum Quorum {
    /// Propose an act
    Propose {
        /// Why, for those who are asked
        #[arg(long)]
        reason: String,
        /// How long it may be voted for and executed
        #[arg(long, default_value_t = 24)]
        hours: u32,
        #[command(subcommand)]
        act: Act,
    },
    /// List the proposals
    List,
    /// Show a proposal's exact text
    Show {
        /// The beginning of its id
        id: String,
        /// Write the text for a custodian elsewhere
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Sign a proposal here, and bring the voice at once
    Vote {
        /// The beginning of its id
        id: String,
        #[command(flatten)]
        vote: SignedBy,
    },
    /// Sign a proposal that was brought in a file, without the appliance
    Sign {
        /// What `show --out` wrote
        file: PathBuf,
        #[command(flatten)]
        vote: SignedBy,
        /// The voice, for `bring`; it must not exist
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Bring a voice that was signed elsewhere
    Bring {
        /// What `sign` wrote
        file: PathBuf,
    },
    /// Do what a quorum approves
    Execute {
        /// The beginning of its id
        id: String,
    },
    /// Take a proposal back
    Withdraw {
        /// The beginning of its id
        id: String,
    },
}

#[derive(Subcommand)]
pub enum Act {
    /// Destroy a partition with every key in it
    PartitionDestroy {
        /// Its label or id
        #[arg(long, value_name = "LABEL|ID")]
        partition: String,
    },
    /// Name other custodians
    Custodians(CustodianSet),
    /// Mark a wrapping key as trusted: strict keys may leave under it
    Trust(crate::key::arguments::Chosen),
    /// Draw another master backup key; `coloa backup key hand-out` comes after
    BackupKey {
        /// How many shares restore
        #[arg(long, value_name = "M")]
        threshold: u8,
        /// Who gets a share; several times
        #[arg(long = "holder", value_name = "NAME", required = true)]
        holders: Vec<String>,
    },
    /// Destroy everything on the device
    Zeroize,
    /// Use a device again that was tampered with
    TamperReturn,
}

macro_rules! pin_source {
    ($(#[$doc:meta])* $name:ident, $file:ident $file_long:literal, $fd:ident $fd_long:literal,
     $credential:ident $credential_long:literal) => {
        $(#[$doc])*
        #[derive(Args, Clone, Default)]
        pub struct $name {
            /// File with the PIN in its first line
            #[arg(long = $file_long, value_name = "FILE")]
            pub $file: Option<PathBuf>,
            /// Open descriptor to read it from
            #[arg(long = $fd_long, value_name = "FD", conflicts_with = stringify!($file))]
            pub $fd: Option<u32>,
            /// systemd credential with it
            #[arg(long = $credential_long, value_name = "NAME", conflicts_with_all = [stringify!($file), stringify!($fd)])]
            pub $credential: Option<String>,
        }

        impl $name {
            /// Where the PIN is; `None` is the prompt.
            pub fn source(&self) -> Option<crate::secret::Source<'_>> {
                use crate::secret::Source;
                let file = self.$file.as_deref().map(Source::File);
                file.or(self.$fd.map(Source::Descriptor)).or(self.$credential.as_deref().map(Source::Credential))
            }
        }
    };
}

pin_source!(
    /// Where the passphrase of a custodian's key is.
    Passphrase, passphrase_file "passphrase-file", passphrase_fd "passphrase-fd",
    passphrase_credential "passphrase-credential"
);
pin_source!(
    /// Where the security officer's PIN is.
    SoPin, so_pin_file "so-pin-file", so_pin_fd "so-pin-fd", so_pin_credential "so-pin-credential"
);
pin_source!(
    /// Where the user's PIN is.
    UserPin, user_pin_file "user-pin-file", user_pin_fd "user-pin-fd", user_pin_credential "user-pin-credential"
);
pin_source!(
    /// Where the new PIN is.
    NewPin, new_pin_file "new-pin-file", new_pin_fd "new-pin-fd", new_pin_credential "new-pin-credential"
);
pin_source!(
    /// Where the present PIN is.
    OldPin, old_pin_file "old-pin-file", old_pin_fd "old-pin-fd", old_pin_credential "old-pin-credential"
);

#[derive(Subcommand)]
pub enum Client {
    /// Make a client's key here, have it certified, and bind it to a partition
    Enrol(Enrol),
    /// List the clients
    List,
    /// Take a client's right back: its live channels are cut
    Remove {
        /// The partition's label or id
        #[arg(long, value_name = "LABEL|ID")]
        partition: String,
        /// The client's name
        #[arg(long, required_unless_present = "identity")]
        name: Option<String>,
        /// The certificate's SHA-256, when the name is not unique
        #[arg(long, value_name = "HEX")]
        identity: Option<String>,
    },
}

#[derive(Args)]
pub struct Enrol {
    /// The partition's label or id
    #[arg(long, value_name = "LABEL|ID")]
    pub partition: String,
    /// The client's name, at most 64 bytes
    #[arg(long)]
    pub name: String,
    /// Folder for client.key (mode 0600), client.pem, ca.pem and coloa.toml
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// How long the certificate is valid
    #[arg(long, default_value_t = 825)]
    pub days: u32,
    /// Where the client reaches the appliance, when not where it listens
    #[arg(long, value_name = "HOST:PORT")]
    pub address: Option<String>,
    /// Start of the validity, in seconds since 1970; for tests
    #[arg(long, hide = true)]
    pub valid_from: Option<u64>,
}

#[derive(Subcommand)]
pub enum Auditor {
    /// Make an auditor's key here, and have it certified
    Enrol(AuditorEnrol),
    /// List the auditors
    List,
    /// Take an auditor's right back: live channels are cut
    Remove {
        /// The auditor's name, or the certificate's SHA-256
        #[arg(long, value_name = "NAME|HEX")]
        name: String,
    },
}

#[derive(Args)]
pub struct AuditorEnrol {
    /// The auditor's name, at most 64 bytes
    #[arg(long)]
    pub name: String,
    /// Folder for client.key (mode 0600), client.pem, ca.pem and coloa.toml
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// How long the certificate is valid
    #[arg(long, default_value_t = 365)]
    pub days: u32,
    /// Where the auditor reaches the appliance, when not where it listens
    #[arg(long, value_name = "HOST:PORT")]
    pub address: Option<String>,
}

#[derive(Subcommand)]
pub enum Token {
    /// List them
    List,
}

#[derive(Args)]
pub struct Doctor {
    /// Log in with the user's PIN too: a wrong one costs a try
    #[arg(long)]
    pub log_in: bool,
    /// The token to log in to, when there are several
    #[arg(long, value_name = "LABEL")]
    pub token: Option<String>,
    #[command(flatten)]
    pub user: UserPin,
}

#[derive(Subcommand)]
pub enum PinCommand {
    /// The security officer sets the user's PIN, or unlocks it
    SetUser {
        /// The token's label
        #[arg(long, value_name = "LABEL")]
        token: String,
        #[command(flatten)]
        so: SoPin,
        #[command(flatten)]
        user: UserPin,
    },
    /// Change one's own PIN
    Change {
        /// The token's label
        #[arg(long, value_name = "LABEL")]
        token: String,
        /// Whose
        #[arg(long, value_enum, default_value = "user")]
        role: Role,
        #[command(flatten)]
        old: OldPin,
        #[command(flatten)]
        new: NewPin,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// The user
    User,
    /// The security officer
    So,
}

/// A partition's id in its text form.
pub fn partition_id(text: &str) -> Option<PartitionId> {
    let bytes: Vec<u8> = text.as_bytes().chunks(2).map(hex_byte).collect::<Option<_>>()?;
    bytes.try_into().ok().map(PartitionId)
}

fn hex_byte(pair: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(pair).ok().filter(|d| d.len() == 2 && d.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u8::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn ids_are_hexadecimal() {
        let id = PartitionId([0xa5; 16]);
        assert_eq!(partition_id(&id.to_string()), Some(id));
        assert_eq!(partition_id("a5"), None);
        assert_eq!(partition_id("+5+5+5+5+5+5+5+5+5+5+5+5+5+5+5+5"), None);
        assert_eq!(partition_id("tòa án"), None);
    }
}
