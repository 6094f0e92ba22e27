//! SIGHUP: the configuration is read again. What may change under open channels does; the rest is named.

use crate::config::{Config, Level};
use crate::service::Service;

/// Takes over the limits and the log's level; a file that is wrong changes nothing.
pub(crate) fn again(service: &Service, set_level: &dyn Fn(Level)) {
    match Config::read(&service.config().file) {
        Ok(fresh) => {
            for key in fixed(service.config(), &fresh) {
                tracing::warn!(key, "changed in the configuration, but in force only after a restart");
            }
            service.set_limits(fresh.limits);
            set_level(fresh.log.level);
            tracing::info!(limits = ?fresh.limits, level = fresh.log.level.name(), "configuration read again");
        }
        Err(fault) => {
            let why = fault.words(coloa_wire::error::Language::English);
            tracing::error!(why, "the configuration was not taken over: what was in force stays");
        }
    }
}

/// The keys that differ and that a running service cannot follow: its sandbox is closed, its sockets are bound.
fn fixed(running: &Config, fresh: &Config) -> Vec<&'static str> {
    let differs = [
        ("directory", running.directory != fresh.directory),
        ("listen", running.listen != fresh.listen),
        ("server_names", running.server_names != fresh.server_names),
        ("admin_socket", running.admin_socket != fresh.admin_socket),
        ("metrics_listen", running.metrics_listen != fresh.metrics_listen),
        ("sandbox", running.sandbox != fresh.sandbox),
    ];
    differs.iter().filter(|(_, differs)| *differs).map(|(key, _)| *key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn what_needs_a_restart_is_named() {
        let parse = |text: &str| Config::parse(Path::new("/c/coload.toml"), text).unwrap();
        let running = parse("directory = \"d\"\nlisten = \"127.0.0.1:1\"\n");
        let fresh =
            parse("directory = \"d\"\nlisten = \"127.0.0.1:2\"\nsandbox = \"required\"\n[limits]\nworkers = 3\n");
        assert_eq!(fixed(&running, &fresh), ["listen", "sandbox"]);
        assert!(fixed(&running, &running).is_empty());
    }
}
