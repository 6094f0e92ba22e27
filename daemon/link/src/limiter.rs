//! A rate limit for answers that anybody can provoke (RFC 1812 §4.3.2.8, RFC 4443 §2.4 f): token buckets in a table of fixed
//! size, chosen by who provokes, so that one loud host takes little from the others and nothing grows.

use core::net::IpAddr;
use core::time::Duration;

/// Buckets; two hosts that share one share its rate.
const BUCKETS: usize = 64;
/// Answers at once.
const BURST: u8 = 8;
/// Time in which a bucket regains one answer: ten a second.
const REFILL: Duration = Duration::from_millis(100);

/// The rate of one that provokes: [`BURST`] at once, one more each [`REFILL`].
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    left: u8,
    refilled: Duration,
}

/// Who was answered how often lately.
#[derive(Debug, Clone)]
pub struct Limiter([Bucket; BUCKETS]);

impl Default for Limiter {
    fn default() -> Self {
        Self::new()
    }
}

impl Limiter {
    /// All buckets full.
    pub const fn new() -> Self {
        Self([Bucket::full(); BUCKETS])
    }

    /// Whether `host` may be answered now; if so, that is counted.
    pub fn admits(&mut self, now: Duration, host: IpAddr) -> bool {
        self.0.get_mut(place(host)).is_some_and(|bucket| bucket.take(now))
    }
}

impl Bucket {
    /// A full one.
    pub const fn full() -> Self {
        Self { left: BURST, refilled: Duration::ZERO }
    }

    /// Takes one, if there is one.
    pub fn take(&mut self, now: Duration) -> bool {
        let since = now.saturating_sub(self.refilled);
        let gained = since.as_millis().checked_div(REFILL.as_millis()).unwrap_or(0);
        if gained > 0 {
            self.left = u8::try_from(gained).unwrap_or(BURST).saturating_add(self.left).min(BURST);
            self.refilled = now;
        }
        let admitted = self.left > 0;
        self.left = self.left.saturating_sub(1);
        admitted
    }
}

/// FNV-1a over the address. Who aims at another's bucket silences an answer about size, which that host's path search
/// survives; no secret is worth it.
fn place(host: IpAddr) -> usize {
    let fold = |hash: u32, octet: &u8| (hash ^ u32::from(*octet)).wrapping_mul(0x0100_0193);
    let hash = match host {
        IpAddr::V4(v4) => v4.octets().iter().fold(0x811c_9dc5, fold),
        IpAddr::V6(v6) => v6.octets().iter().fold(0x811c_9dc5, fold),
    };
    (hash ^ hash >> 16) as usize % BUCKETS
}
