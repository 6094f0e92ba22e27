//! SIGKILL under load, again and again: every acknowledged key is there afterwards, and nothing is half there.

use crate::rig::{Appliance, Enrolled, key_pair, sign, user};
use coloa_wire::admin::ServiceStatus;
use coloa_wire::{ObjectId, PartitionId};
use std::time::{Duration, Instant};

/// As long as a recovery may take.
const RECOVERY: Duration = Duration::from_secs(2);
/// Callers that make keys while the process is killed.
const BUSY: usize = 3;

/// Moments that differ from kill to kill and are the same for a seed.
struct Moments(u64);

impl Moments {
    fn next(&mut self) -> Duration {
        // Knuth's multiplier: the high bits are good enough to tell moments apart.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_micros(5_000 + (self.0 >> 33) % 80_000)
    }
}

/// Keys that were acknowledged before the process was killed.
fn made_until_a_kill(
    appliance: &mut Appliance,
    (enrolled, court): (&Enrolled, PartitionId),
    after: Duration,
) -> Vec<ObjectId> {
    let address = appliance.address();
    std::thread::scope(|scope| {
        let busy: Vec<_> = (0..BUSY)
            .map(|_| {
                let client = enrolled.client(&address);
                let session = user(&client, court);
                scope.spawn(move || {
                    let mut keys = Vec::new();
                    while let Ok(key) = key_pair(&client, session) {
                        keys.push(key);
                    }
                    keys
                })
            })
            .collect();
        std::thread::sleep(after);
        appliance.kill();
        busy.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

/// `SEED=n KILLS=n` repeat a run, or make it longer.
fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

#[test]
fn fifty_kills_under_load_lose_no_acknowledged_key() {
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let (seed, kills) = (from_environment("SEED", clock.as_secs()), from_environment("KILLS", 50));
    println!("SEED={seed} KILLS={kills}");
    let mut appliance = Appliance::operational();
    let court = appliance.partition("court");
    let enrolled = appliance.enrol(court, "court-srv-1");
    let (mut moments, mut keys, mut recoveries) = (Moments(seed), Vec::new(), Vec::new());
    for _ in 0..kills {
        keys.extend(made_until_a_kill(&mut appliance, (&enrolled, court), moments.next()));
        let began = Instant::now();
        appliance.start();
        user(&enrolled.client(&appliance.address()), court);
        recoveries.push(began.elapsed());
    }
    let objects = appliance.admin().ask(&ServiceStatus {}).unwrap().partitions[0].objects;
    let acknowledged = keys.len() as u64;
    // A pair is two objects; of those that were under way at a kill each caller had one.
    assert!(objects.is_multiple_of(2), "half a pair is there: {objects} objects");
    let most = acknowledged + kills * BUSY as u64;
    assert!((acknowledged..=most).contains(&(objects / 2)), "{objects} objects, {acknowledged} acknowledged pairs");
    let client = enrolled.client(&appliance.address());
    let session = user(&client, court);
    keys.iter().for_each(|key| sign(&client, session, *key).unwrap());
    recoveries.sort_unstable();
    let (median, worst) = (recoveries[recoveries.len() / 2], recoveries.last().unwrap());
    println!("{kills} kills, {acknowledged} acknowledged keys, recovery {median:?} (median) {worst:?} (worst)");
    // The median: a machine that tests other things at the same time may stop for a while.
    assert!(median < RECOVERY, "{recoveries:?}");
}
