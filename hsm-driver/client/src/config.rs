//! Where tokens are: one TOML file. An unknown key is an error that names the key, the file and the line.

use coloa_wire::command::PartitionMode;
use coloa_wire::error::Language;
use serde::Deserialize;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Names the configuration file.
pub const VARIABLE: &str = "COLOA_CONF";
/// The file that is read when nothing names another.
pub const DEFAULT_FILE: &str = "/etc/coloa/coloa.toml";

const DEFAULT_CONNECTIONS: usize = 2;
const MAX_CONNECTIONS: usize = 64;
const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);

/// The whole file.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Where the log goes; absent: standard error, and only when `COLOA_LOG` asks.
    pub log: Option<PathBuf>,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub log_level: Option<String>,
    /// In the order of the file.
    pub targets: Vec<Target>,
}

/// A place where tokens are.
#[derive(Clone, Debug)]
pub struct Target {
    /// How to get there.
    pub place: Place,
    /// How long one call may take, connecting included.
    pub deadline: Duration,
}

/// How to get to an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An appliance or a board, over TLS.
    Network(Network),
    /// The appliance's local socket: an administrator's way.
    Local(PathBuf),
    /// In this process, for development: the directory, and the rules of the partition a new one gets.
    Embedded(PathBuf, PartitionMode),
}

/// An appliance or a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Host and port.
    pub address: String,
    /// The name in its certificate.
    pub server_name: String,
    /// PEM: the CA its certificate chains to.
    pub ca: PathBuf,
    /// PEM: our certificate, then its issuers.
    pub certificate: PathBuf,
    /// PEM: our private key.
    pub key: PathBuf,
    /// Connections of this process at most.
    pub connections: usize,
}

/// Why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// The file cannot be read: file, reason.
    Unreadable(PathBuf, String),
    /// The file is wrong: file, line, reason.
    Invalid(PathBuf, usize, String),
}

impl Config {
    /// Reads the file that `COLOA_CONF` names, else [`DEFAULT_FILE`].
    ///
    /// A set-uid program passes `believe_environment: false`: whoever started it chose its environment.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load(believe_environment: bool) -> Result<Self, ConfigError> {
        let named = believe_environment.then(|| std::env::var_os(VARIABLE)).flatten();
        Self::read(&named.map_or_else(|| PathBuf::from(DEFAULT_FILE), PathBuf::from))
    }

    /// Reads this file.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(file).map_err(|e| ConfigError::Unreadable(file.to_path_buf(), e.to_string()))?;
        Self::parse(file, &text)
    }

    /// Parses the text of `file`; paths in it are relative to the file's folder.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`].
    pub fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        let invalid = |at: usize, why: String| ConfigError::Invalid(file.to_path_buf(), line(text, at), why);
        let raw: RawConfig =
            toml::from_str(text).map_err(|e| invalid(e.span().map_or(0, |s| s.start), e.message().to_owned()))?;
        let folder = file.parent().unwrap_or(Path::new(""));
        let targets = raw.token.into_iter().map(|token| {
            let at = token.span().start;
            target(token.into_inner(), folder).map_err(|why| invalid(at, why))
        });
        Ok(Config {
            log: raw.log.map(|l| folder.join(l)),
            log_level: raw.log_level,
            targets: targets.collect::<Result<_, _>>()?,
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Network(n) => f.write_str(&n.address),
            Place::Local(socket) => write!(f, "{}", socket.display()),
            Place::Embedded(directory, _) => write!(f, "{}", directory.display()),
        }
    }
}

impl ConfigError {
    /// What happened and what to do, for a person.
    pub fn explain(&self, language: Language) -> String {
        match (self, language) {
            (ConfigError::Unreadable(file, why), Language::English) => {
                format!(
                    "Cannot read the configuration {}: {why}. Set {VARIABLE} to the right file, or create it.",
                    file.display()
                )
            }
            (ConfigError::Unreadable(file, why), Language::Vietnamese) => {
                format!(
                    "Không đọc được cấu hình {}: {why}. Đặt {VARIABLE} trỏ đúng tệp hoặc tạo tệp đó.",
                    file.display()
                )
            }
            (ConfigError::Invalid(file, line, why), Language::English) => {
                format!("The configuration is wrong at {}, line {line}: {why}. Correct that line.", file.display())
            }
            (ConfigError::Invalid(file, line, why), Language::Vietnamese) => {
                format!("Cấu hình sai tại {}, dòng {line}: {why}. Sửa dòng đó.", file.display())
            }
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.explain(Language::English))
    }
}

impl std::error::Error for ConfigError {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    log: Option<PathBuf>,
    log_level: Option<String>,
    #[serde(default)]
    token: Vec<toml::Spanned<RawToken>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Body {
    Network,
    Local,
    Embedded,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Strict,
    Compatible,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawToken {
    body: Body,
    address: Option<String>,
    server_name: Option<String>,
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    connections: Option<usize>,
    socket: Option<PathBuf>,
    directory: Option<PathBuf>,
    mode: Option<Mode>,
    deadline_ms: Option<u64>,
}

fn target(mut raw: RawToken, folder: &Path) -> Result<Target, String> {
    let deadline = raw.deadline_ms.take().map_or(DEFAULT_DEADLINE, Duration::from_millis);
    if deadline.is_zero() {
        return Err("`deadline_ms` must be at least 1".into());
    }
    let place = match raw.body {
        Body::Network => Place::Network(network(&mut raw, folder)?),
        Body::Local => Place::Local(folder.join(wanted(raw.socket.take(), "socket")?)),
        Body::Embedded => embedded(&mut raw, folder)?,
    };
    no_stranger(&raw)?;
    Ok(Target { place, deadline })
}

fn embedded(raw: &mut RawToken, folder: &Path) -> Result<Place, String> {
    let mode = match raw.mode.take() {
        Some(Mode::Compatible) => PartitionMode::Compatible,
        Some(Mode::Strict) | None => PartitionMode::Strict,
    };
    Ok(Place::Embedded(folder.join(wanted(raw.directory.take(), "directory")?), mode))
}

fn network(raw: &mut RawToken, folder: &Path) -> Result<Network, String> {
    let connections = raw.connections.take().unwrap_or(DEFAULT_CONNECTIONS);
    if !(1..=MAX_CONNECTIONS).contains(&connections) {
        return Err(format!("`connections` must be 1 to {MAX_CONNECTIONS}"));
    }
    Ok(Network {
        address: wanted(raw.address.take(), "address")?,
        server_name: wanted(raw.server_name.take(), "server_name")?,
        ca: folder.join(wanted(raw.ca.take(), "ca")?),
        certificate: folder.join(wanted(raw.certificate.take(), "certificate")?),
        key: folder.join(wanted(raw.key.take(), "key")?),
        connections,
    })
}

fn wanted<T>(value: Option<T>, key: &str) -> Result<T, String> {
    value.ok_or_else(|| format!("this [[token]] needs the key `{key}`"))
}

/// What is left over belongs to another body.
fn no_stranger(raw: &RawToken) -> Result<(), String> {
    let left = [
        ("address", raw.address.is_some()),
        ("server_name", raw.server_name.is_some()),
        ("ca", raw.ca.is_some()),
        ("certificate", raw.certificate.is_some()),
        ("key", raw.key.is_some()),
        ("connections", raw.connections.is_some()),
        ("socket", raw.socket.is_some()),
        ("directory", raw.directory.is_some()),
        ("mode", raw.mode.is_some()),
    ];
    match left.iter().find(|(_, present)| *present) {
        Some((key, _)) => Err(format!("the key `{key}` does not belong to this `body`")),
        None => Ok(()),
    }
}

fn line(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|b| **b == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const NETWORK: &str = "[[token]]\nbody = \"network\"\naddress = \"127.0.0.1:7443\"\nserver_name = \"coloa.local\"\n\
        ca = \"ca.pem\"\ncertificate = \"client.pem\"\nkey = \"/keys/client.key\"\n";

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(Path::new("/etc/coloa/coloa.toml"), text)
    }

    #[test]
    fn paths_are_relative_to_the_files_folder() {
        let config = parse(NETWORK).unwrap();
        let Place::Network(network) = &config.targets[0].place else { panic!("not a network target") };
        assert_eq!(network.ca, Path::new("/etc/coloa/ca.pem"));
        assert_eq!(network.key, Path::new("/keys/client.key"));
        assert_eq!(network.connections, DEFAULT_CONNECTIONS);
        assert_eq!(config.targets[0].deadline, DEFAULT_DEADLINE);
    }

    #[test]
    fn an_unknown_key_is_named_with_file_and_line() {
        let error = parse(&format!("{NETWORK}adress = \"x\"\n")).unwrap_err();
        let text = error.explain(Language::English);
        assert!(text.contains("`adress`") && text.contains("/etc/coloa/coloa.toml, line 8"), "{text}");
        assert!(error.explain(Language::Vietnamese).contains("dòng 8"));
    }

    #[test]
    fn a_key_of_another_body_is_refused() {
        let error = parse("\n[[token]]\nbody = \"embedded\"\ndirectory = \"d\"\naddress = \"a:1\"\n").unwrap_err();
        assert!(matches!(&error, ConfigError::Invalid(_, 2, why) if why.contains("`address`")), "{error:?}");
    }

    #[test]
    fn a_missing_key_is_named() {
        let error = parse("[[token]]\nbody = \"embedded\"\n").unwrap_err();
        assert!(error.to_string().contains("`directory`"), "{error}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Config::read(Path::new("/nonexistent/coloa.toml")).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/coloa.toml"), "{error}");
    }
}
