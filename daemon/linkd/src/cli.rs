//! The command line.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::fault::Lang;
use crate::keyholder::process::KeySpec;

const EXAMPLES: &str = "\
Examples:
  coloa-linkd run --config /etc/coloa/linkd.toml      run the link encryptor (SIGTERM stops it)
  coloa-linkd upgrade                                 this program takes over from the one that runs; no link waits
  coloa-linkd status --config /etc/coloa/linkd.toml   each link: connected, encrypting | not encrypting, blocked
  coloa-linkd why 10.1.2.3 10.9.8.7 --port 443        which rule decides, and what would happen
  coloa-linkd top                                     the same, each second, until q
  coloa-linkd test site-b --rate 20000                path, MTU, loss, latency, throughput
  coloa-linkd check                                   explains a configuration before it is used
  coloa-linkd identity device.pem                     the identity of a certificate, for the policy
  coloa-linkd policy sign --module /usr/lib/softhsm/libsofthsm2.so --token authority --key policy \\
      --pin-file pin --certificate authority.pem --input policy.toml --output policy.bundle
  coloa-linkd policy edit policy.toml                 in $EDITOR: validated, serial raised, diff shown
  coloa-linkd policy diff --authority authority.pem policy.bundle policy.toml
  coloa-linkd policy show --authority authority.pem policy.bundle

A configuration:
  state_dir = \"/var/lib/coloa-linkd\"
  [red]                                  # cleartext side
  namespace = \"red\"                      # ip netns add red
  name = \"coloa0\"
  addresses = [\"10.1.0.1/24\", \"fd00:1::1/64\"]
  [[red.neighbours]]                     # a transparent site: hosts on this wire keep addresses and gateway
  interface = \"eth1\"
  networks = [\"10.1.0.0/25\"]
  [black]                                # encrypted side
  namespace = \"black\"
  listen = \"192.0.2.1:4500\"              # UDP (ESP) and TCP (control)
  [token]                                # the device's private key
  module = \"/usr/lib/softhsm/libsofthsm2.so\"
  label = \"site-a\"
  key = \"link\"
  pin_file = \"/etc/coloa/pin\"            # or pin_credential, from systemd
  [identity]
  certificate = \"device.pem\"             # own certificate, then intermediates
  trust_anchors = \"roots.pem\"
  crl = \"crls.pem\"                       # optional; then a status that is not known refuses
  [policy]
  bundle = \"policy.bundle\"
  authority = \"authority.pem\"
  [[peer]]                               # where a peer is; whether it may, the policy says
  site = \"site-b\"
  endpoint = \"192.0.2.2:4500\"
  [metrics]
  listen = \"/run/coloa-linkd.sock\"       # or 127.0.0.1:9477
  [log]
  syslog = \"/dev/log\"                   # or a collector, 192.0.2.9:514 (RFC 5424)
";

/// A description of a policy, with everything that one can say.
pub const POLICY: &str = "\
A description:
  serial = 7
  [[site]]
  name = \"hue\"
  identity = \"6f0d...\"                                # coloa-linkd identity device.pem
  red = [\"10.46.0.0/16\", \"fd00:46::/48\"]
  organ = \"government\"                              # the certificate's O must say it: party, national-assembly,
                                                      # front, court, procuracy, government, or the name in full
  [[site]]
  name = \"hue-court\"
  identity = \"91c2...\"
  red = [\"10.46.8.0/24\"]
  organ = \"court\"
  hub = \"hue\"                                       # the hub that it belongs to
  groups = [\"north\"]
  [[link]]                                            # two sites
  between = [\"hue\", \"hue-court\"]
  allow = [{ protocol = \"tcp\", to_ports = [443, 443] }] # without it, everything
  [[rule]]                                            # each court and its own hub
  between = [\"organ:court\", \"hub\"]
  [[rule]]                                            # through the hub that both have; `via` may name a site too
  between = [\"organ:court\", \"group:north\"]
  via = \"hub\"
  [bypass]                                            # who may order one; without this nobody can
  threshold = 2
  custodians = [\"3a91...\", \"77be...\", \"c04d...\"]    # coloa-linkd identity custodian.pem
  hours = 8                                           # no order is longer
What nothing grants is denied; a rule adds to a link and takes nothing away.
";

/// Link encryptor: red traffic leaves only inside ESP, or not at all
#[derive(Debug, Parser)]
#[command(name = "coloa-linkd", version, after_long_help = EXAMPLES)]
pub struct Cli {
    /// Language of messages; without it, from LANG
    #[arg(long, global = true, value_enum)]
    pub lang: Option<Lang>,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the link encryptor
    Run(RunArgs),
    /// Take over from the daemon that runs another version: links live on without a new handshake. Where it is this very
    /// program, it only looks at its files again
    Upgrade(ConfigArg),
    /// Show each link of a running daemon; exit code 3 unless all of them encrypt
    Status(StatusArgs),
    /// Show each link on one line, refreshed every second, until q or Ctrl-C
    Top(TopArgs),
    /// Measure a link of a running daemon: path, MTU, loss, latency, throughput; exit code 3 if packets are lost
    Test(TestArgs),
    /// Say what would happen to a packet, and which rule of the policy decides; exit code 3 if it is dropped
    Why(WhyArgs),
    /// Explain a configuration before it is used: what will happen, what is wrong; exit code 3 if something is
    Check(CheckArgs),
    /// Open a site's key package: key into the token, configuration into its folder, receipt for the authority
    Join(crate::join::JoinArgs),
    /// Show the identity of a certificate (SHA-256 of its SubjectPublicKeyInfo)
    Identity {
        /// The certificate (PEM)
        certificate: PathBuf,
    },
    /// Make and read signed link policies
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Order, in a quorum and for a limited time, that some sites may talk in clear where they have no keys
    #[command(subcommand)]
    Bypass(crate::bypass::command::BypassCommand),
    /// Sign digests for the daemon; it starts this by itself
    #[command(hide = true)]
    Keyholder(KeySpec),
}

/// The configuration.
#[derive(Debug, Args)]
pub struct ConfigArg {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "/etc/coloa/linkd.toml")]
    pub config: PathBuf,
}

/// How to run.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The configuration
    #[command(flatten)]
    pub config: ConfigArg,
    /// Take the links over from the daemon that runs with this configuration, and go on in its place (see upgrade)
    #[arg(long)]
    pub take_over: bool,
}

/// What to show.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The configuration
    #[command(flatten)]
    pub config: ConfigArg,
    /// JSON instead of words
    #[arg(long)]
    pub json: bool,
}

/// What to explain.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The configuration
    #[command(flatten)]
    pub config: ConfigArg,
    /// JSON instead of sentences
    #[arg(long)]
    pub json: bool,
}

/// How to show it.
#[derive(Debug, Args)]
pub struct TopArgs {
    /// The configuration
    #[command(flatten)]
    pub config: ConfigArg,
    /// Show it once and end
    #[arg(long)]
    pub once: bool,
}

/// Which link to measure.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// The peer's site
    pub peer: String,
    /// How much to send, in kbit/s (64 to 100000), for two seconds
    #[arg(long, value_name = "KBIT", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(64..=100_000))]
    pub rate: u32,
    /// The configuration
    #[command(flatten)]
    pub config: ConfigArg,
    /// JSON instead of words
    #[arg(long)]
    pub json: bool,
}

/// Which packet.
#[derive(Debug, Args)]
pub struct WhyArgs {
    /// Where it comes from
    pub source: IpAddr,
    /// Where it goes
    pub destination: IpAddr,
    /// tcp, udp, icmp, icmpv6 or a number
    #[arg(long, default_value = "tcp")]
    pub protocol: String,
    /// The destination's port
    #[arg(long)]
    pub port: Option<u16>,
    /// The source's port
    #[arg(long, default_value_t = 49_152)]
    pub source_port: u16,
    /// The configuration
    #[command(flatten)]
    pub config: ConfigArg,
    /// JSON instead of words
    #[arg(long)]
    pub json: bool,
}

/// Signed link policies.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    #[command(after_long_help = POLICY)]
    /// Sign a TOML description with the policy authority's key in a token
    Sign(SignArgs),
    /// Say what a new policy changes: descriptions (TOML) or signed bundles
    Diff {
        /// The policy authority's certificate (PEM), for bundles
        #[arg(long, value_name = "FILE")]
        authority: Option<PathBuf>,
        /// JSON instead of words
        #[arg(long)]
        json: bool,
        /// The policy before
        old: PathBuf,
        /// The policy after
        new: PathBuf,
    },
    /// Verify a bundle and show what it grants
    Show {
        /// The policy authority's certificate (PEM)
        #[arg(long, value_name = "FILE")]
        authority: PathBuf,
        /// JSON instead of words
        #[arg(long)]
        json: bool,
        /// The bundle
        bundle: PathBuf,
    },
    #[command(after_long_help = POLICY)]
    /// Edit a description in $VISUAL or $EDITOR: validates it, raises the serial, shows what changes, replaces it at once
    Edit(EditArgs),
}

/// What to edit.
#[derive(Debug, Args)]
pub struct EditArgs {
    /// The description (TOML)
    pub description: PathBuf,
    /// The bundle in force: its serial has to be exceeded too
    #[arg(long, value_name = "FILE", requires = "authority")]
    pub bundle: Option<PathBuf>,
    /// The policy authority's certificate (PEM), for the bundle
    #[arg(long, value_name = "FILE")]
    pub authority: Option<PathBuf>,
    /// Do not ask before it is replaced
    #[arg(long)]
    pub yes: bool,
}

/// What to sign, and with what.
#[derive(Debug, Args)]
pub struct SignArgs {
    /// The key
    #[command(flatten)]
    pub key: KeySpec,
    /// The policy authority's certificate (PEM)
    #[arg(long, value_name = "FILE")]
    pub certificate: PathBuf,
    /// The description (TOML)
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,
    /// The bundle to write
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_a_policy_is_one() {
        let lines = POLICY.lines().filter(|line| line.starts_with("  ")).collect::<Vec<_>>().join("\n");
        let cut = ["6f0d...", "91c2...", "3a91...", "77be...", "c04d..."];
        let whole = cut.iter().fold(lines, |text, cut| text.replace(cut, &cut[..2].repeat(32)));
        let bundle = crate::policy::description::parse(&whole).expect("it can be signed");
        assert_eq!(bundle.bypass.as_ref().map(|custodians| custodians.keys.len()), Some(3));
        assert_eq!((bundle.sites.len(), bundle.pairs.len(), bundle.rules.map(|rules| rules.len())), (2, 1, Some(2)));
    }
}
