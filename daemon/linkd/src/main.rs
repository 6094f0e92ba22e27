//! coloa-linkd: the link encryptor's daemon.
//!
//! Red traffic enters through a TUN interface in one network namespace and leaves as ESP in UDP from a socket in another;
//! nothing else joins the two (ARCHITECTURE decision 10). What is sealed, opened and permitted is `coloa-link`'s matter;
//! here are sockets, TLS, files, threads. The private key stays in a PKCS#11 token that another process talks to.
//!
//! Trusted: the kernel, the policy authority's signature, the trust anchors. Hostile: everything on black (boundary B3).
#![deny(unsafe_code)]

mod address;
mod admission;
mod blame;
mod bypass;
mod check;
mod cli;
mod config;
mod control;
mod daemon;
mod data;
mod fault;
mod handover;
mod hex;
mod identity;
mod join;
mod keyholder;
mod known_signatures;
mod metrics;
mod neighbours;
mod netlink;
mod netns;
mod notify;
mod organ;
mod policy;
mod privileges;
mod quality;
mod status;
mod syslog;
mod tls;
mod top;
mod trouble;
#[allow(unsafe_code, reason = "TUN ioctls have no safe wrapper")]
mod tun;
#[allow(unsafe_code, reason = "control messages of sendmsg have no safe wrapper")]
mod udp;
mod watch;
mod why;
mod workers;

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use cli::{Cli, Command, PolicyCommand, SignArgs, StatusArgs};
use config::{Config, MetricsAddress};
use fault::{Fault, Lang};
use identity::{Identity, read_certificate};
use keyholder::client::Keyholder;
use keyholder::sign::TokenKey;
use policy::description;

/// `status`: not every link encrypts.
const NOT_WELL: u8 = 3;
/// How long the policy authority's token may take.
const SIGN_DEADLINE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let cli = Cli::parse();
    let lang = cli.lang.unwrap_or_else(Lang::from_environment);
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let terminal = std::io::stderr().is_terminal();
    let printed = tracing_subscriber::fmt::layer().with_ansi(terminal).with_writer(std::io::stderr);
    tracing_subscriber::registry().with(filter).with(printed).with(syslog::Syslog).init();
    match run(cli.command, lang) {
        Ok(code) => code,
        Err(fault) => {
            eprintln!("coloa-linkd: {}", fault.words(lang));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command, lang: Lang) -> Result<ExitCode, Fault> {
    match command {
        Command::Run(args) => daemon::run(&args.config.config, args.take_over)?,
        Command::Upgrade(args) => handover::upgrade::run(&args.config, lang)?,
        Command::Status(args) => return show_status(&args, lang),
        Command::Top(args) => return top::show(&args, lang),
        Command::Test(args) => return quality::show(&args, lang),
        Command::Why(args) => return why::show(&args, lang),
        Command::Join(args) => join::run(&args, lang)?,
        Command::Check(args) => return check::show(&args, lang),
        Command::Identity { certificate } => println!("{}", identity_of(&certificate)?),
        Command::Bypass(command) => bypass::command::run(&command, lang)?,
        Command::Policy(PolicyCommand::Sign(args)) => sign_policy(&args)?,
        Command::Policy(PolicyCommand::Show { authority, json, bundle }) => show_policy(&authority, json, &bundle)?,
        Command::Policy(PolicyCommand::Edit(args)) => policy::edit::run(&args, lang)?,
        Command::Policy(PolicyCommand::Diff { authority, json, old, new }) => {
            show_diff(authority.as_deref(), json, (&old, &new))?;
        }
        Command::Keyholder(spec) => keyholder::process::run(&spec).map_err(Fault::token)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn show_status(args: &StatusArgs, lang: Lang) -> Result<ExitCode, Fault> {
    let path = &args.config.config;
    let invalid = |why: String| Fault::Config { path: path.clone(), why };
    let metrics = Config::load(path)?.metrics.ok_or_else(|| invalid("[metrics] listen is needed for status".into()))?;
    let status = metrics::ask(&MetricsAddress::parse(&metrics.listen).map_err(invalid)?)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&status).map_err(|e| invalid(e.to_string()))?);
    } else {
        print!("{}", status.words(lang));
    }
    Ok(if status.is_well() { ExitCode::SUCCESS } else { ExitCode::from(NOT_WELL) })
}

fn identity_of(path: &Path) -> Result<Identity, Fault> {
    let fault = || Fault::Certificate { path: path.to_owned(), why: "it cannot be parsed".into() };
    Identity::of(&read_certificate(path)?).ok_or_else(fault)
}

fn show_policy(authority: &Path, json: bool, path: &Path) -> Result<(), Fault> {
    let bundle = policy::read(path, &read_certificate(authority)?)?;
    if json {
        let fault = |e: serde_json::Error| Fault::Policy { path: path.to_owned(), why: e.to_string() };
        println!("{}", serde_json::to_string_pretty(&policy::view::of(&bundle)).map_err(fault)?);
    } else {
        print!("{}", description::show(&bundle));
    }
    Ok(())
}

fn show_diff(authority: Option<&Path>, json: bool, (old, new): (&Path, &Path)) -> Result<(), Fault> {
    let [was, is] = [old, new].map(|path| policy::read_any(path, authority));
    let (was, is) = (was?, is?);
    let changes = policy::diff::between(&was, &is);
    if json {
        let fault = |e: serde_json::Error| Fault::Policy { path: new.to_owned(), why: e.to_string() };
        println!("{}", serde_json::to_string_pretty(&changes).map_err(fault)?);
    } else {
        println!("serial {} → {}", was.serial, is.serial);
        changes.iter().for_each(|change| println!("{change}"));
    }
    Ok(())
}

fn sign_policy(args: &SignArgs) -> Result<(), Fault> {
    let text = std::fs::read_to_string(&args.input).map_err(|e| Fault::file(&args.input, e))?;
    let bundle = description::parse(&text).map_err(|why| Fault::Policy { path: args.input.clone(), why })?;
    let certificate = read_certificate(&args.certificate)?;
    let key = TokenKey::new(Keyholder::start(args.key.clone(), SIGN_DEADLINE)?, &certificate)?;
    let (suite, octets) = (key.curve().suite(), bundle.to_bytes());
    let signature = key.sign_der(&suite.message(&octets)).map_err(|why| Fault::Token { why })?;
    std::fs::write(&args.output, suite.file(&octets, &signature)).map_err(|e| Fault::file(&args.output, e))
}
