//! coload: see `coload --help`.
#![forbid(unsafe_code)]

use clap::Parser;
use coloa_appliance::{Config, End, config, log};
use coloa_wire::error::Language;
use std::path::PathBuf;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  coload --check-config              is /etc/coloa/coload.toml right?
  coload --config site/coload.toml   serve; SIGTERM stops gracefully, SIGHUP reads limits and log level anew

A configuration:
  directory = \"/var/lib/coloa\"       root key and store; nobody else may read it
  listen = \"0.0.0.0:7443\"            TLS 1.3, clients with certificates
  server_names = [\"hsm.court.example\"]
  admin_socket = \"/run/coloa/coload.sock\"
  metrics_listen = \"127.0.0.1:9443\"  /metrics, /healthz, /readyz; leave out for none
  sandbox = \"required\"               or \"best-effort\" where the kernel lacks landlock or seccomp
  image_manifest = \"coload.clfw\"      what custodians signed of this program; with firmware_trust = \"trust\"
  [limits]
  connections = 1024                 channels at the same time
  calls_per_second = 0               of one certificate; 0 is as often as it likes
  [log]
  level = \"info\"
  [[tamper]]                         a line that must stay quiet; else every key is destroyed
  name = \"lid\"
  file = \"/sys/class/hwmon/hwmon0/intrusion0_alarm\"

A new device is initialised by `coloa init` on the local socket; until then the TLS port is closed.";

/// Exit code of a device that was zeroized or tampered with; its unit starts it again.
const ZEROIZED: u8 = 3;

/// The Cổ Loa appliance: keys behind TLS 1.3
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Arguments {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = config::DEFAULT_FILE)]
    config: PathBuf,
    /// Read the configuration, say whether it is right, and end
    #[arg(long)]
    check_config: bool,
    /// Language of messages: en or vi; else LANG decides
    #[arg(long, value_name = "LANGUAGE")]
    lang: Option<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let language = language(arguments.lang.as_deref());
    let served = Config::read(&arguments.config).and_then(|config| {
        if arguments.check_config {
            println!("{}: {}", arguments.config.display(), right(language));
            return Ok(End::Stopped);
        }
        let set_level = log::start(&config);
        coloa_appliance::run(config, &set_level)
    });
    match served {
        Ok(End::Stopped) => ExitCode::SUCCESS,
        Ok(End::Zeroized) => {
            eprintln!("coload: {}", zeroized(language));
            ExitCode::from(ZEROIZED)
        }
        Ok(End::Tampered) => {
            eprintln!("coload: {}", tampered(language));
            ExitCode::from(ZEROIZED)
        }
        Err(fault) => {
            eprintln!("coload: {}", fault.words(language));
            ExitCode::FAILURE
        }
    }
}

fn zeroized(language: Language) -> &'static str {
    match language {
        Language::English => "the device was zeroized. Start the service again: it is as it left the factory.",
        Language::Vietnamese => "thiết bị đã bị xóa sạch khóa. Khởi động lại dịch vụ: thiết bị như lúc mới xuất xưởng.",
    }
}

fn tampered(language: Language) -> &'static str {
    match language {
        Language::English => {
            "the device was tampered with: every key is destroyed. Started again, it serves nothing until a quorum has it return."
        }
        Language::Vietnamese => {
            "thiết bị đã bị xâm phạm: mọi khóa đã bị hủy. Khởi động lại, thiết bị không phục vụ cho đến khi đủ người giữ khóa cho dùng lại."
        }
    }
}

fn right(language: Language) -> &'static str {
    match language {
        Language::English => "the configuration is right",
        Language::Vietnamese => "cấu hình đúng",
    }
}

fn language(asked: Option<&str>) -> Language {
    let asked =
        asked.map(str::to_owned).or_else(|| std::env::var("LC_ALL").ok()).or_else(|| std::env::var("LANG").ok());
    if asked.is_some_and(|l| l.starts_with("vi")) { Language::Vietnamese } else { Language::English }
}
