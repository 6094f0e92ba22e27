//! The log on standard error, whose level can change while it is written.

use crate::config::{Config, Level};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts the log; what is returned sets another level.
pub fn start(config: &Config) -> impl Fn(Level) + use<> {
    let filter = EnvFilter::new(config.log.level.name());
    let terminal = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(terminal).with_writer(std::io::stderr);
    let log = log.with_filter_reloading();
    let handle = log.reload_handle();
    log.init();
    move |level| {
        if let Err(why) = handle.reload(EnvFilter::new(level.name())) {
            tracing::error!(%why, "the log's level stays as it was");
        }
    }
}
