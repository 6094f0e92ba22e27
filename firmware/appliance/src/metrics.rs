//! What Prometheus is told.

use crate::figures::Room;
use crate::sandbox::{Wall, Walls};
use coloa_wire::command::Lifecycle;
use coloa_wire::{CommandCode, ErrorCode};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Request {
    command: &'static str,
    result: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Pool {
    pool: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Named {
    wall: &'static str,
}

/// The counters and gauges.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    /// The counter of each command's successes, in the order of [`CommandCode::ALL`]: found without a lock.
    successes: Vec<Counter>,
    refused: Family<Reason, Counter>,
    faults: Family<Reason, Counter>,
    accepted: Counter,
    delayed: Counter,
    channels: Gauge,
    sessions: Gauge,
    operational: Gauge,
    in_error: Gauge,
    walls: Family<Named, Gauge>,
    waiting: Family<Pool, Gauge>,
    /// Of commands that were not answered with success.
    errors: Counter,
    moments: Moments,
}

/// What is looked up at each scrape and has no label.
#[derive(Default)]
struct Moments {
    store: Gauge,
    free: Gauge,
    started: Gauge,
    certificate: Gauge,
}

/// What is looked up at each scrape.
pub(crate) struct Now {
    pub channels: usize,
    pub sessions: usize,
    pub lifecycle: Lifecycle,
    pub walls: Walls,
    pub room: Room,
    /// Seconds since 1970.
    pub started: i64,
    /// The same; 0 for none.
    pub certificate_ends: u64,
    /// Jobs that wait, by pool.
    pub waiting: [(&'static str, usize); 3],
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let requests = Family::<Request, Counter>::default();
        let success =
            |code: &CommandCode| requests.get_or_create(&Request { command: code.name(), result: "ok" }).clone();
        let successes = CommandCode::ALL.iter().map(success).collect();
        let mut metrics = Metrics {
            registry: Registry::with_prefix("coloa"),
            requests,
            successes,
            refused: Family::default(),
            faults: Family::default(),
            accepted: Counter::default(),
            delayed: Counter::default(),
            channels: Gauge::default(),
            sessions: Gauge::default(),
            operational: Gauge::default(),
            in_error: Gauge::default(),
            walls: Family::default(),
            waiting: Family::default(),
            errors: Counter::default(),
            moments: Moments::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let r = &mut self.registry;
        r.register("requests", "Commands answered, by command and result.", self.requests.clone());
        r.register("handshakes", "Handshakes that made a channel.", self.accepted.clone());
        r.register("handshake_failures", "Connections that did not become a channel, by reason.", self.refused.clone());
        r.register("faults", "Channels closed for breaking the protocol, by error.", self.faults.clone());
        r.register("delayed_calls", "Calls that waited for their certificate's rate.", self.delayed.clone());
        r.register("channels", "Channels open, handshakes included.", self.channels.clone());
        r.register("sessions", "Sessions open.", self.sessions.clone());
        r.register(
            "operational",
            "1 in service, 0 before initialisation and in the error state.",
            self.operational.clone(),
        );
        r.register(
            "error_state",
            "1 after a failed self-test: the engine refuses cryptography.",
            self.in_error.clone(),
        );
        self.register_moments();
    }

    fn register_moments(&mut self) {
        let r = &mut self.registry;
        r.register("waiting_jobs", "Commands that wait for a worker, by pool.", self.waiting.clone());
        r.register("store_bytes", "Bytes that the store takes.", self.moments.store.clone());
        r.register("free_bytes", "Bytes that are free on the store's medium.", self.moments.free.clone());
        r.register("start_time_seconds", "When the service started, in Unix time.", self.moments.started.clone());
        r.register(
            "certificate_end_seconds",
            "When the appliance's certificate ends, in Unix time; 0 while there is none.",
            self.moments.certificate.clone(),
        );
        r.register("sandbox", "1 where the sandbox's wall is in force, in part or whole.", self.walls.clone());
    }

    /// Counts an answered command.
    pub(crate) fn answered(&self, code: u16, result: u16) {
        let known = CommandCode::ALL.binary_search_by_key(&code, |c| *c as u16).ok();
        match (result, known.and_then(|at| self.successes.get(at))) {
            (0, Some(counter)) => drop(counter.inc()),
            _ => {
                let command = CommandCode::try_from(code).map_or("unknown", CommandCode::name);
                let result = ErrorCode::from_number(result).map_or("ok", ErrorCode::name);
                self.requests.get_or_create(&Request { command, result }).inc();
                self.errors.inc();
            }
        }
    }

    /// Commands answered, and how many of them with an error.
    pub(crate) fn totals(&self) -> (u64, u64) {
        let errors = self.errors.get();
        (self.successes.iter().map(Counter::get).sum::<u64>().saturating_add(errors), errors)
    }

    pub(crate) fn accepted(&self) {
        self.accepted.inc();
    }

    pub(crate) fn delayed(&self) {
        self.delayed.inc();
    }

    pub(crate) fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&Reason { reason }).inc();
    }

    pub(crate) fn fault(&self, error: ErrorCode) {
        self.faults.get_or_create(&Reason { reason: error.name() }).inc();
    }

    /// The exposition format's text.
    pub(crate) fn text(&self, now: &Now) -> String {
        self.channels.set(i64::try_from(now.channels).unwrap_or(i64::MAX));
        self.sessions.set(i64::try_from(now.sessions).unwrap_or(i64::MAX));
        self.operational.set(i64::from(now.lifecycle == Lifecycle::Operational));
        self.in_error.set(i64::from(now.lifecycle == Lifecycle::Error));
        for (wall, state) in [("landlock", now.walls.files), ("seccomp", now.walls.calls)] {
            self.walls.get_or_create(&Named { wall }).set(i64::from(state != Wall::Absent));
        }
        for (pool, jobs) in now.waiting {
            self.waiting.get_or_create(&Pool { pool }).set(i64::try_from(jobs).unwrap_or(i64::MAX));
        }
        let whole = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        self.moments.store.set(whole(now.room.used));
        self.moments.free.set(whole(now.room.free));
        self.moments.started.set(now.started);
        self.moments.certificate.set(whole(now.certificate_ends));
        let mut out = String::new();
        // Writing to a `String` cannot fail.
        let _ = text::encode(&mut out, &self.registry);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Every name of ours that a text speaks of.
    fn spoken_of(text: &str) -> BTreeSet<&str> {
        let names = text.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
        names.filter(|name| name.starts_with("coloa_")).collect()
    }

    /// The names under which this exporter's samples go.
    fn exported() -> BTreeSet<String> {
        let metrics = Metrics::new();
        // What never happened is not told.
        metrics.refused("timeout");
        metrics.fault(ErrorCode::FrameMalformed);
        let text = metrics.text(&quiet());
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        types.map(|(name, kind)| if kind == "counter" { format!("{name}_total") } else { name.to_owned() }).collect()
    }

    fn quiet() -> Now {
        Now {
            channels: 1,
            sessions: 2,
            lifecycle: Lifecycle::Operational,
            walls: Walls { files: Wall::Partial, calls: Wall::Absent },
            room: Room { used: 7, free: 8 },
            started: 9,
            certificate_ends: 10,
            waiting: [("commits", 1), ("logins", 0), ("computes", 3)],
        }
    }

    #[test]
    fn the_dashboard_shows_every_metric_and_none_that_is_not_there() {
        let text = include_str!("../grafana/coloa-appliance.json");
        let dashboard: serde_json::Value = serde_json::from_str(text).unwrap();
        let panels = dashboard["panels"].as_array().unwrap();
        let queries = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
        let queries: Vec<_> = queries.map(|target| target["expr"].as_str().unwrap()).collect();
        assert!(queries.len() >= panels.len() && queries.iter().all(|query| !spoken_of(query).is_empty()));
        let shown: BTreeSet<String> = spoken_of(text).into_iter().map(str::to_owned).collect();
        assert_eq!(shown, exported());
    }

    #[test]
    fn alerts_speak_of_metrics_and_errors_that_exist() {
        let text = include_str!("../grafana/coloa-alerts.yml");
        let queries: Vec<_> = text.lines().filter_map(|l| l.trim_start().strip_prefix("expr: ")).collect();
        assert!(queries.len() == text.matches("- alert: ").count() && queries.len() == text.matches("next: ").count());
        let known = exported();
        for query in queries {
            let names = spoken_of(query);
            assert!(!names.is_empty() && names.iter().all(|name| known.contains(*name)), "{query}");
            let results = query.split("result=~\"").nth(1).and_then(|rest| rest.split('"').next());
            for result in results.into_iter().flat_map(|all| all.split('|')) {
                assert!(ErrorCode::ALL.iter().any(|error| error.name() == result), "{result}");
            }
        }
    }

    #[test]
    fn requests_are_counted_by_command_and_result() {
        let metrics = Metrics::new();
        metrics.answered(CommandCode::Sign as u16, 0);
        metrics.answered(CommandCode::Sign as u16, 0);
        metrics.answered(CommandCode::Login as u16, ErrorCode::PinIncorrect.number());
        metrics.answered(0xfff0, ErrorCode::CommandUnknown.number());
        assert_eq!(metrics.totals(), (4, 2));
        let text = metrics.text(&quiet());
        for line in [
            "coloa_requests_total{command=\"Sign\",result=\"ok\"} 2",
            "coloa_requests_total{command=\"Login\",result=\"PinIncorrect\"} 1",
            "coloa_requests_total{command=\"unknown\",result=\"CommandUnknown\"} 1",
            "coloa_sessions 2",
            "coloa_operational 1",
            "coloa_free_bytes 8",
            "coloa_waiting_jobs{pool=\"computes\"} 3",
            "coloa_sandbox{wall=\"landlock\"} 1",
            "coloa_sandbox{wall=\"seccomp\"} 0",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }
}
