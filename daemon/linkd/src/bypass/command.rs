//! `coloa-linkd bypass`: an order is drafted from names, signed by one custodian after the other, looked at, put in force,
//! and taken back.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead, IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use coloa_link::Bundle;
use coloa_link::bypass::{Order, OrderRefused, VERSION};
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Signed, place, refused};
use crate::admission::Trust;
use crate::cli::ConfigArg;
use crate::config::Config;
use crate::fault::{Fault, Lang, said};
use crate::hex;
use crate::identity::{Identity, read_certificate};
use crate::keyholder::client::Keyholder;
use crate::keyholder::process::KeySpec;
use crate::keyholder::sign::TokenKey;
use crate::policy;
use crate::policy::description::{self, AllowText};
use crate::policy::received::Sources;
use crate::policy::serial::SerialStore;

/// How long a custodian's token may take.
const SIGN_DEADLINE: Duration = Duration::from_secs(30);

const DESCRIPTION: &str = "\
A description:
  serial = 12                                 # above that of every order before
  sites = [\"hue\", \"hue-court\"]
  minutes = 240                               # from now on, or from starts = \"2026-12-01T08:00:00Z\"
  allow = [{ protocol = \"tcp\", to_ports = [443, 443] }]   # without it, all that the policy permits
  reason = \"the token of hue-court is broken; a new one comes at noon\"

Examples:
  coloa-linkd bypass draft order.toml --policy policy.bundle --authority policy.pem --output order
  coloa-linkd bypass sign order --policy policy.bundle --authority policy.pem --certificate custodian-1.pem \\
      --module /usr/lib/softhsm/libsofthsm2.so --token custodian-1 --key sign --pin-file pin
  coloa-linkd bypass apply order              # at each of the sites
  coloa-linkd bypass cancel";

/// What to do with an order.
#[derive(Debug, Subcommand)]
pub enum BypassCommand {
    #[command(after_long_help = DESCRIPTION)]
    /// Write an order from a TOML description; nobody has signed it then
    Draft {
        /// The description (TOML)
        description: PathBuf,
        /// The policy that has the names
        #[command(flatten)]
        policy: PolicyArgs,
        /// The order to write
        #[arg(long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Read an order and sign it with a custodian's key in a token
    Sign(SignArgs),
    /// Show an order and who has signed it
    Show {
        /// The order
        order: PathBuf,
        /// The policy that has the names
        #[command(flatten)]
        policy: PolicyArgs,
    },
    /// Put an order in force at this site, if the signed policy provides for it
    Apply {
        /// The order
        order: PathBuf,
        /// The configuration
        #[command(flatten)]
        config: ConfigArg,
    },
    /// End the bypass at this site, at once
    Cancel(ConfigArg),
}

/// A signed policy.
#[derive(Debug, Args)]
pub struct PolicyArgs {
    /// The policy bundle
    #[arg(long, value_name = "FILE")]
    pub policy: PathBuf,
    /// The policy authority's certificate (PEM)
    #[arg(long, value_name = "FILE")]
    pub authority: PathBuf,
}

/// What to sign, and with what.
#[derive(Debug, Args)]
pub struct SignArgs {
    /// The order; the signature is added to it
    pub order: PathBuf,
    /// The policy that has the names
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// A certificate of the custodian's key (PEM); who issued it does not matter
    #[arg(long, value_name = "FILE")]
    pub certificate: PathBuf,
    /// The key
    #[command(flatten)]
    pub key: KeySpec,
    /// Do not ask before signing
    #[arg(long)]
    pub yes: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    serial: u64,
    sites: Vec<String>,
    minutes: u64,
    starts: Option<String>,
    #[serde(default)]
    allow: Vec<AllowText>,
    reason: String,
}

/// Does it.
pub fn run(command: &BypassCommand, lang: Lang) -> Result<(), Fault> {
    match command {
        BypassCommand::Draft { description, policy, output } => draft(description, &policy.read()?, output, lang),
        BypassCommand::Sign(args) => sign(args, lang),
        BypassCommand::Show { order, policy } => {
            print!("{}", words(&Signed::read(order)?, &policy.read()?, lang)?);
            Ok(())
        }
        BypassCommand::Apply { order, config } => apply(order, &config.config, lang),
        BypassCommand::Cancel(config) => cancel(&config.config, lang),
    }
}

impl PolicyArgs {
    fn read(&self) -> Result<Bundle, Fault> {
        policy::read(&self.policy, &read_certificate(&self.authority)?)
    }
}

fn draft(path: &Path, bundle: &Bundle, output: &Path, lang: Lang) -> Result<(), Fault> {
    let wrong = |why: String| Fault::Bypass { why };
    let text = fs::read_to_string(path).map_err(|e| Fault::file(path, e))?;
    let text: Text = toml::from_str(&text).map_err(|e| wrong(e.to_string()))?;
    let site = |name: &String| {
        let found = bundle.sites.iter().find(|site| site.name == *name);
        found.map(|site| site.identity).ok_or_else(|| wrong(format!("the policy knows no site `{name}`")))
    };
    let mut sites = text.sites.iter().map(site).collect::<Result<Vec<_>, _>>()?;
    sites.sort_unstable();
    let starts = text.starts.as_deref().map(|starts| OffsetDateTime::parse(starts, &Rfc3339));
    let from = match starts.transpose().map_err(|e| wrong(format!("starts: {e}")))? {
        Some(starts) => u64::try_from(starts.unix_timestamp()).unwrap_or_default(),
        None => now(),
    };
    let order = Order {
        version: VERSION,
        serial: text.serial,
        sites: sites.into_iter().map(Into::into).collect(),
        filters: description::filters(&text.allow, false).map_err(wrong)?,
        from,
        until: from.saturating_add(text.minutes.saturating_mul(60)),
        reason: text.reason,
    };
    if !order.is_sound() {
        return Err(wrong("two sites at least, each once, a day at most, and a reason on one line are needed".into()));
    }
    let signed = Signed::draft(&order);
    print!("{}", words(&signed, bundle, lang)?);
    signed.write(output)
}

fn sign(args: &SignArgs, lang: Lang) -> Result<(), Fault> {
    let (mut signed, bundle) = (Signed::read(&args.order)?, args.policy.read()?);
    print!("{}", words(&signed, &bundle, lang)?);
    let question = said(lang, "sign this order? [y/N] ", "ký lệnh này? [y/N] ");
    if !args.yes && !confirmed(question) {
        return Err(Fault::Bypass { why: said(lang, "it was not signed", "chưa ký").into() });
    }
    let certificate = read_certificate(&args.certificate)?;
    let key = TokenKey::new(Keyholder::start(args.key.clone(), SIGN_DEADLINE)?, &certificate)?;
    let suite = key.curve().suite();
    let signature = key.sign_der(&signed.message(suite)).map_err(|why| Fault::Token { why })?;
    signed.add(suite, &certificate, signature);
    signed.write(&args.order)?;
    let needed = bundle.bypass.as_ref().map_or(0, |custodians| custodians.threshold);
    println!("{}: {} / {needed}", said(lang, "signatures", "chữ ký"), counting(&signed, &bundle).len());
    Ok(())
}

/// Nothing is asked where nobody can answer.
fn confirmed(question: &str) -> bool {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return false;
    }
    print!("{question}");
    let mut answer = String::new();
    io::stdout().flush().is_ok()
        && stdin.lock().read_line(&mut answer).is_ok()
        && answer.trim().eq_ignore_ascii_case("y")
}

fn apply(order: &Path, config: &Path, lang: Lang) -> Result<(), Fault> {
    let config = Config::load(config)?;
    let signed = Signed::read(order)?;
    let accepted = policy::examine(&Sources::of(&config), &Trust::load(&config.identity)?)?;
    let own = Identity::of(&read_certificate(&config.identity.certificate)?);
    let own = own.ok_or_else(|| Fault::Bypass { why: "our own certificate cannot be read".into() })?;
    let used = SerialStore::of_orders(&config.state_dir).newest().map_err(|why| Fault::Bypass { why })?;
    let signers: Vec<_> = signed.signers().into_iter().map(|signer| signer.0).collect();
    match signed.order()?.judge(accepted.bundle().bypass.as_ref(), &signers, &own.0, (now(), used)) {
        // It may lie there before its time: the daemon waits for that.
        Ok(()) | Err(OrderRefused::Early) => {}
        Err(why) => return Err(refused(why)),
    }
    print!("{}", words(&signed, accepted.bundle(), lang)?);
    signed.write(&place(&config))?;
    println!(
        "{}",
        said(
            lang,
            "in place: the daemon follows it within a second, or when its time comes; `coloa-linkd bypass cancel` ends it",
            "đã đặt lệnh: tiến trình thực hiện trong vòng một giây hoặc khi đến giờ; `coloa-linkd bypass cancel` để chấm dứt"
        )
    );
    Ok(())
}

fn cancel(config: &Path, lang: Lang) -> Result<(), Fault> {
    let path = place(&Config::load(config)?);
    match fs::remove_file(&path) {
        Ok(()) => println!("{}", said(lang, "the order is taken back", "đã thu hồi lệnh")),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            println!("{}", said(lang, "there is no order here", "không có lệnh nào ở đây"));
        }
        Err(e) => return Err(Fault::file(&path, e)),
    }
    Ok(())
}

/// The exact order in words, and who has signed it.
fn words(signed: &Signed, bundle: &Bundle, lang: Lang) -> Result<String, Fault> {
    let order = signed.order()?;
    let name = |identity: &[u8]| {
        let site = bundle.sites.iter().find(|site| site.identity[..] == *identity);
        site.map_or_else(|| hex::encode(identity), |site| site.name.clone())
    };
    let sites: Vec<String> = order.sites.iter().map(|site| name(&site[..])).collect();
    let mut out = String::new();
    let lines = [
        (said(lang, "BYPASS ORDER", "LỆNH TRUYỀN RÕ (KHÔNG MÃ HÓA)"), order.serial.to_string()),
        (said(lang, "sites", "các điểm"), sites.join(", ")),
        (said(lang, "what", "nội dung"), description::filters_words(&order.filters, "a", "b")),
        (said(lang, "from", "từ"), moment(order.from)),
        (said(lang, "until", "đến"), moment(order.until)),
        (said(lang, "reason", "lý do"), order.reason.clone()),
        (said(lang, "digest", "mã băm"), digest(&order)),
    ];
    for (what, value) in lines {
        let _ = writeln!(out, "{what}: {value}");
    }
    let counting = counting(signed, bundle);
    for signer in signed.signers() {
        let counts = if counting.contains(&signer) {
            said(lang, "a custodian of the policy", "người giám sát trong chính sách")
        } else {
            said(lang, "NOT named by the policy", "KHÔNG có trong chính sách")
        };
        let _ = writeln!(out, "{}: {signer} ({counts})", said(lang, "signed by", "ký bởi"));
    }
    Ok(out)
}

/// Those whose signatures count.
fn counting(signed: &Signed, bundle: &Bundle) -> Vec<Identity> {
    let keys = bundle.bypass.iter().flat_map(|custodians| &custodians.keys);
    let keys: Vec<[u8; 32]> = keys.map(|key| **key).collect();
    signed.signers().into_iter().filter(|signer| keys.contains(&signer.0)).collect()
}

fn digest(order: &Order) -> String {
    hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &order.to_bytes()).as_ref())
}

/// For people and logs.
pub fn moment(seconds: u64) -> String {
    let at = i64::try_from(seconds).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_else(|| seconds.to_string())
}

/// Seconds since 1970 by the clock on the wall.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
