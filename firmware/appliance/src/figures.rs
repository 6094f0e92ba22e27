//! How the appliance is: asked by `coloa status`, by Prometheus, by load balancers and by the watchdog.

use crate::service::Service;
use coloa_engine::{Peer, Platform};
use coloa_host::command;
use coloa_wire::admin::{PartitionFigures, ServiceStatusReply};
use coloa_wire::command::{DeviceInfo, Lifecycle};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Rates are told over so many seconds.
const WINDOW: usize = 10;

/// The totals of the last seconds.
pub(crate) struct Pulse {
    began: Instant,
    beats: Mutex<VecDeque<(u64, u64)>>,
}

impl Pulse {
    pub(crate) fn new() -> Self {
        Pulse { began: Instant::now(), beats: Mutex::default() }
    }

    /// To be called each second with the totals of calls and of errors.
    pub(crate) fn beat(&self, totals: (u64, u64)) {
        let mut beats = self.beats.lock();
        beats.truncate(WINDOW);
        beats.push_front(totals);
    }

    /// Calls and errors in a second, lately.
    fn rates(&self) -> (u32, u32) {
        let beats = self.beats.lock();
        let (Some(last), Some(first)) = (beats.front(), beats.back()) else { return (0, 0) };
        let seconds = u64::try_from(beats.len()).map_or(1, |n| n.saturating_sub(1).max(1));
        let rate = |last: u64, first: u64| u32::try_from(last.saturating_sub(first) / seconds).unwrap_or(u32::MAX);
        (rate(last.0, first.0), rate(last.1, first.1))
    }
}

/// A medium's room, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Room {
    pub used: u64,
    pub free: u64,
}

impl Room {
    /// Of the store in a directory.
    pub(crate) fn of(directory: &Path) -> Self {
        let files = ["store.sqlite", "store.sqlite-wal"].map(|name| std::fs::metadata(directory.join(name)));
        let used = files.iter().flatten().map(std::fs::Metadata::len).sum();
        let free = rustix::fs::statvfs(directory).map_or(0, |at| at.f_bavail.saturating_mul(at.f_frsize));
        Room { used, free }
    }
}

/// Whether the engine answers, asked as anybody is: a frame in, a frame out.
pub(crate) fn engine_answers(service: &Service) -> bool {
    command(service.engine(), &Peer::Administrator("watchdog".into()), &DeviceInfo {}).is_ok()
}

/// `/healthz`: whether restarting it would help. A device that was tampered with waits for people, not for a restart. The error state is not healthy: it refuses everything it is there for.
pub(crate) fn health(service: &Service) -> (bool, Value) {
    let lifecycle = service.engine().lifecycle();
    let answers = engine_answers(service);
    let healthy = answers && lifecycle != Lifecycle::Error;
    let document = json!({
        "healthy": healthy, "engine_answers": answers, "lifecycle": word(lifecycle), "sandbox": service.walls().name(),
        "uptime_s": uptime(service),
    });
    (healthy, document)
}

/// `/readyz`: whether it takes calls now.
pub(crate) fn readiness(service: &Service) -> (bool, Value) {
    let (lifecycle, open) = (service.engine().lifecycle(), service.authority().is_some());
    let ready = lifecycle == Lifecycle::Operational && open && !service.is_stopping();
    let document = json!({
        "ready": ready, "lifecycle": word(lifecycle), "port_open": open, "stopping": service.is_stopping(),
        "trouble": service.trouble(),
    });
    (ready, document)
}

fn word(lifecycle: Lifecycle) -> &'static str {
    match lifecycle {
        Lifecycle::Manufactured => "manufactured",
        Lifecycle::Operational => "operational",
        Lifecycle::Error => "error",
        Lifecycle::Tampered => "tampered",
    }
}

fn uptime(service: &Service) -> u64 {
    service.pulse().began.elapsed().as_secs()
}

/// What `coloa status` shows beside what every version tells.
pub(crate) fn status(service: &Service) -> ServiceStatusReply {
    let room = Room::of(&service.config().directory);
    let ((calls, errors), (calls_per_second, errors_per_second)) =
        (service.metrics().totals(), service.pulse().rates());
    let partitions = service.engine().objects_by_partition().into_iter();
    let of = |(partition, label, objects): (_, _, usize)| {
        let objects = u64::try_from(objects).unwrap_or(u64::MAX);
        PartitionFigures { partition, label, objects }
    };
    ServiceStatusReply {
        uptime: uptime(service),
        clock: service.engine().platform().now().0,
        store_bytes: room.used,
        free_bytes: room.free,
        sandbox: service.walls().name().into(),
        memory_locked: service.is_locked(),
        calls,
        errors,
        calls_per_second,
        errors_per_second,
        sessions: u32::try_from(service.engine().open_sessions()).unwrap_or(u32::MAX),
        channel_limit: u32::try_from(service.limits().connections).unwrap_or(u32::MAX),
        partitions: partitions.map(of).collect(),
    }
}

/// Seconds since 1970 at which the service started, for Prometheus.
pub(crate) fn started_at(service: &Service) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(now.saturating_sub(uptime(service))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_the_last_seconds() {
        let pulse = Pulse::new();
        assert_eq!(pulse.rates(), (0, 0));
        (0..100).for_each(|second| pulse.beat((second * 50, second)));
        assert_eq!(pulse.rates(), (50, 1));
        (0..WINDOW as u64 + 1).for_each(|_| pulse.beat((99 * 50, 99)));
        assert_eq!(pulse.rates(), (0, 0));
    }
}
