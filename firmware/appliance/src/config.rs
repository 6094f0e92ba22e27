//! The appliance's configuration: one TOML file. An unknown key is an error that names the key, the file and the line.

use crate::fault::Fault;
use crate::sandbox::{Demand, Places};
use crate::tamper;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file that is read when nothing names another.
pub const DEFAULT_FILE: &str = "/etc/coloa/coload.toml";

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the engine's root key and store are.
    pub directory: PathBuf,
    /// Where TLS is served; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The names in the appliance's certificate; the first is what clients are told to expect.
    #[serde(default = "localhost")]
    pub server_names: Vec<String>,
    /// The administrators' Unix socket.
    #[serde(default = "admin_socket")]
    pub admin_socket: PathBuf,
    /// Where Prometheus asks; absent: nowhere.
    pub metrics_listen: Option<SocketAddr>,
    /// Whether the service starts without its sandbox.
    #[serde(default)]
    pub sandbox: Demand,
    /// What custodians have signed of this program (R23); goes with `firmware_trust`.
    pub image_manifest: Option<PathBuf>,
    /// Whose signatures that needs: what `coloa firmware trust` wrote.
    pub firmware_trust: Option<PathBuf>,
    /// Lines that tell of tampering (R15).
    #[serde(default)]
    pub tamper: Vec<tamper::Line>,
    /// The file that this was read from.
    #[serde(skip)]
    pub file: PathBuf,
    /// What callers may use up.
    #[serde(default)]
    pub limits: Limits,
    /// The log on standard error.
    #[serde(default)]
    pub log: Log,
}

/// What callers may use up.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Channels at the same time, handshakes included.
    pub connections: usize,
    /// Of those the ones that are not through with their handshake; when there are more, the oldest gives way.
    pub handshakes: usize,
    /// How long a handshake and the hello may take together.
    pub handshake_ms: u64,
    /// How long a frame that has begun to arrive may take, and a reply that is not taken.
    pub frame_ms: u64,
    /// After how many seconds without a call a channel is closed; 0 is never (dead peers are found by TCP's own probes).
    pub idle_s: u64,
    /// Threads for commands that wait for the disk.
    pub workers: usize,
    /// How often one certificate may call in a second, over all its channels; 0 is as often as it likes. Calls beyond that
    /// wait (R22).
    pub calls_per_second: u32,
    /// After the third wrong PIN in a row none is looked at for so many milliseconds, after each further one for twice as
    /// long (R4); 0 is no delay.
    pub pin_delay_ms: u64,
    /// How many calls may come at once before they are spread; 0 is those of one second.
    pub burst: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 1024,
            handshakes: 256,
            handshake_ms: 10_000,
            frame_ms: 30_000,
            idle_s: 0,
            workers: 16,
            calls_per_second: 0,
            pin_delay_ms: 1_000,
            burst: 0,
        }
    }
}

impl Limits {
    /// See [`Limits::handshake_ms`].
    pub fn handshake(&self) -> Duration {
        Duration::from_millis(self.handshake_ms)
    }

    /// See [`Limits::frame_ms`].
    pub fn frame(&self) -> Duration {
        Duration::from_millis(self.frame_ms)
    }

    /// See [`Limits::idle_s`].
    pub fn idle(&self) -> Option<Duration> {
        (self.idle_s > 0).then(|| Duration::from_secs(self.idle_s))
    }

    /// See [`Limits::burst`].
    pub fn burst(&self) -> u32 {
        if self.burst > 0 { self.burst } else { self.calls_per_second }
    }
}

/// The log.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: Level,
}

impl Default for Log {
    fn default() -> Self {
        Log { level: Level::Info }
    }
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// What needs an operator.
    Error,
    /// What an operator should know.
    Warn,
    /// Starts, stops, channels.
    Info,
    /// Each refusal.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    /// Its name in a log filter.
    pub fn name(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
            Level::Trace => "trace",
        }
    }
}

fn localhost() -> Vec<String> {
    vec!["localhost".into()]
}

fn admin_socket() -> PathBuf {
    "/run/coloa/coload.sock".into()
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// [`Fault::ConfigUnreadable`], [`Fault::Config`].
    pub fn read(file: &Path) -> Result<Self, Fault> {
        let text = std::fs::read_to_string(file)
            .map_err(|e| Fault::ConfigUnreadable { path: file.to_path_buf(), why: e.to_string() })?;
        Self::parse(file, &text)
    }

    /// Parses the text of `file`; paths in it are relative to the file's folder.
    ///
    /// # Errors
    /// [`Fault::Config`].
    pub fn parse(file: &Path, text: &str) -> Result<Self, Fault> {
        let fault = |line: usize, why: String| Fault::Config { path: file.to_path_buf(), line, why };
        let mut config: Config = toml::from_str(text)
            .map_err(|e| fault(line(text, e.span().map_or(0, |s| s.start)), e.message().to_owned()))?;
        let of_key = |key: &str| text.lines().position(|l| l.trim_start().starts_with(key)).map_or(1, |at| at + 1);
        if config.server_names.is_empty() {
            return Err(fault(of_key("server_names"), "`server_names` needs at least one name".into()));
        }
        if config.image_manifest.is_some() != config.firmware_trust.is_some() {
            let key = if config.image_manifest.is_some() { "image_manifest" } else { "firmware_trust" };
            return Err(fault(of_key(key), "`image_manifest` and `firmware_trust` go together".into()));
        }
        let l = &config.limits;
        if l.connections == 0 || l.handshakes == 0 || l.workers == 0 || l.handshake_ms == 0 || l.frame_ms == 0 {
            return Err(fault(
                of_key("[limits]"),
                "`connections`, `handshakes`, `workers`, `handshake_ms` and `frame_ms` may not be 0 in [limits]".into(),
            ));
        }
        let folder = file.parent().unwrap_or(Path::new(""));
        config.directory = folder.join(&config.directory);
        config.image_manifest = config.image_manifest.map(|file| folder.join(file));
        config.firmware_trust = config.firmware_trust.map(|file| folder.join(file));
        tamper::resolve(&mut config.tamper, folder);
        config.admin_socket = folder.join(&config.admin_socket);
        config.file = file.to_path_buf();
        Ok(config)
    }

    /// What the service keeps of the file system once it runs.
    pub fn places(&self) -> Places {
        let folder = |file: &Path| file.parent().unwrap_or(Path::new("")).to_path_buf();
        let (configuration, socket) = (folder(&self.file), folder(&self.admin_socket));
        Places { store: self.directory.clone(), configuration, socket }
    }
}

fn line(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|b| *b == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use coloa_wire::error::Language;

    fn parse(text: &str) -> Result<Config, Fault> {
        Config::parse(Path::new("/etc/coloa/coload.toml"), text)
    }

    #[test]
    fn a_short_file_is_enough() {
        let config = parse("directory = \"data\"\nlisten = \"127.0.0.1:7443\"\n").unwrap();
        assert_eq!(config.directory, Path::new("/etc/coloa/data"));
        assert_eq!(config.admin_socket, Path::new("/run/coloa/coload.sock"));
        assert_eq!(config.server_names, ["localhost"]);
        assert!(config.metrics_listen.is_none());
    }

    #[test]
    fn an_unknown_key_is_named_with_file_and_line() {
        let fault = parse("directory = \"d\"\nlisten = \"127.0.0.1:1\"\nlisen = 3\n").unwrap_err();
        let words = fault.words(Language::English);
        assert!(words.contains("`lisen`") && words.contains("/etc/coloa/coload.toml, line 3"), "{words}");
        assert!(fault.words(Language::Vietnamese).contains("dòng 3"));
    }

    /// A manifest without custodians would be a check that checks nothing (R23).
    #[test]
    fn a_manifest_alone_is_refused() {
        for key in ["image_manifest", "firmware_trust"] {
            let text = format!("directory = \"d\"\nlisten = \"127.0.0.1:1\"\n{key} = \"x\"\n");
            let words = parse(&text).unwrap_err().words(Language::English);
            assert!(words.contains("line 3") && words.contains("go together"), "{words}");
        }
    }

    #[test]
    fn limits_of_nothing_are_refused() {
        let fault = parse("directory = \"d\"\nlisten = \"127.0.0.1:1\"\n[limits]\nconnections = 0\n").unwrap_err();
        assert!(fault.words(Language::English).contains("line 3"));
    }
}
