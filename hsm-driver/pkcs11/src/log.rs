//! The log: only when the configuration names a file or a level, or `COLOA_LOG` names a level. No secret is ever given to it.

use coloa_client::Config;
use std::fs::{File, OpenOptions};
use std::os::fd::AsFd;
use std::sync::Arc;
use tracing_subscriber::EnvFilter;

/// Names the level: `error`, `warn`, `info`, `debug` or `trace`.
const VARIABLE: &str = "COLOA_LOG";

/// Starts the log if anybody asked for it. The first to ask in a process decides where it goes.
pub(crate) fn start(config: &Config, believe_environment: bool) {
    let asked = believe_environment.then(|| std::env::var(VARIABLE).ok()).flatten();
    let level = asked.or_else(|| config.log_level.clone()).or_else(|| config.log.as_ref().map(|_| "warn".into()));
    let Some(level) = level else { return };
    let writer = match &config.log {
        Some(file) => OpenOptions::new().create(true).append(true).open(file),
        // A descriptor of our own: Rust's standard error has a lock that another thread may hold at a fork.
        None => std::io::stderr().as_fd().try_clone_to_owned().map(File::from),
    };
    let Ok(writer) = writer else { return };
    let _ = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(level))
        .with_ansi(false)
        .with_writer(Arc::new(writer))
        .try_init();
}
