//! What is asked of the stand (`coloa-stand` in hil-tests): the same words for `cargo xtask`, which builds it, and for itself.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Subcommands that drive the built product; what each does stands at its arguments, where clap finds it.
#[derive(Subcommand)]
#[allow(missing_docs)]
pub enum Stand {
    Demo(Demo),
    Playground(Playground),
    Bench(Bench),
}

/// Install what is missing, build, and show the main job; a table of verdicts closes.
///
/// Every line is judged by a program that is not ours: OpenSSL verifies signatures, tcpdump reads
/// the black wire, ping and iperf3 go through the link. It needs root (network namespaces, apt-get),
/// keeps to loopback and to namespaces of its own, and takes minutes. Files lie in target/demo.
///
/// Examples:
///   cargo xtask demo
///   cargo xtask demo --keep    leave it running, print how to look around
///   cargo xtask demo --stop    end what --keep left
#[derive(Args, Clone)]
#[command(verbatim_doc_comment)]
pub struct Demo {
    /// Leave everything running and say how to look around
    #[arg(long)]
    pub keep: bool,
    /// End what an earlier --keep left running
    #[arg(long, conflicts_with = "keep")]
    pub stop: bool,
    /// Use unoptimised builds, which the tests share
    #[arg(long)]
    pub dev: bool,
}

/// Start a body with a token `bench` (user PIN 123456, SO PIN 12345678) and write DIR/env.
///
/// DIR/env sets COLOA_CONF and PKCS11_MODULE for any PKCS#11 application. The token's partition is
/// `compatible`, so that clients may choose GCM's IV. What runs is recorded in DIR and ended by
/// --stop, which leaves the files; starting again in the same DIR takes up the same keys.
///
/// Examples:
///   cargo xtask playground --body embedded --dir /tmp/play
///   . /tmp/play/env && pkcs11-tool --module $PKCS11_MODULE --list-slots
///   cargo xtask playground --body appliance --dir /tmp/rack    coload on loopback, TLS 1.3
///   cargo xtask playground --body qemu --dir /tmp/board        the firmware image in QEMU
///   cargo xtask playground --stop --dir /tmp/rack
#[derive(Args, Clone)]
#[command(verbatim_doc_comment)]
pub struct Playground {
    /// Which body of the engine
    #[arg(long, value_enum, required_unless_present = "stop")]
    pub body: Option<Body>,
    /// The folder for configuration, keys and logs
    #[arg(long, value_name = "D")]
    pub dir: PathBuf,
    /// End what runs for this folder
    #[arg(long, conflicts_with = "body")]
    pub stop: bool,
}

/// A body of the engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Body {
    /// In the caller's process: for development
    Embedded,
    /// coload, over TLS 1.3 on loopback
    Appliance,
    /// The firmware image on QEMU's mps2-an386
    Qemu,
}

/// Measure ours and the others in turn within one run, in a scheduling group of its own.
///
/// PKCS#11 operations through the module (embedded, appliance) beside SoftHSM2, Kryoptic and AWS-LC alone; iperf3 and
/// sockperf through the link beside OpenVPN, wireguard-go and the bare wire, and beside strangers' packets; a token of 100,000
/// keys; 3,355 sites at one hub. A table of what is asked for closes. Absolute figures depend on the machine: quote the
/// ratios. All parts take half an hour; Kryoptic and its OpenSSL are built the first time.
///
/// Examples:
///   cargo xtask bench
///   cargo xtask bench --only operations --seconds 5
///   cargo xtask bench --json > figures.jsonl
///   cargo xtask bench --keep    writes benches/results.json and benches/RESULTS.md
#[derive(Args, Clone)]
#[command(verbatim_doc_comment)]
pub struct Bench {
    /// One part only
    #[arg(long, value_enum)]
    pub only: Option<Part>,
    /// Seconds a run
    #[arg(long, default_value_t = 1)]
    pub seconds: u32,
    /// Runs of each, in turn; the median counts
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// One JSON object a line instead of tables
    #[arg(long)]
    pub json: bool,
    /// Write benches/results.json and RESULTS.md; a part that is not measured stays as it was
    #[arg(long)]
    pub keep: bool,
}

impl Bench {
    /// What is measured.
    pub fn parts(&self) -> Vec<Part> {
        self.only.map_or_else(|| vec![Part::Operations, Part::Many, Part::Link, Part::Storm], |only| vec![only])
    }
}

/// A part of the benchmark.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Part {
    /// PKCS#11 operations
    Operations,
    /// iperf3 and sockperf through the link
    Link,
    /// 3,355 sites that dial one hub at once
    Storm,
    /// A token of 100,000 keys: finding one, the first session, memory
    Many,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Part::Operations => "operations",
            Part::Link => "link",
            Part::Storm => "storm",
            Part::Many => "many",
        })
    }
}
