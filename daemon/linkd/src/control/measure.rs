//! `coloa-linkd test`: how good a link is, measured by the daemon itself with authenticated dummies that look like any other
//! traffic on the wire. One test at a time, at a bounded rate and for a few seconds: whoever may ask for the status may ask
//! for it, and can do no harm with it.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use aws_lc_rs::rand;
use coloa_link::esp;
use coloa_link::measure::{Measure, Tally, Token};
use serde::{Deserialize, Serialize};

use super::{Control, Peer};
use crate::data::PathStanding;

/// Kilobits a second that a test may send.
pub const RATES: RangeInclusive<u32> = 64..=100_000;
/// Questions for latency, and their distance: the peer answers ten a second.
const QUESTIONS: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(110);
/// A question without an answer for so long is lost.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the link is filled, and in which steps.
const FILLING: Duration = Duration::from_secs(2);
const STEP: Duration = Duration::from_millis(10);
/// Attempts to get a count that matters.
const ATTEMPTS: u32 = 3;

/// What a test found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// The peer's site.
    pub site: String,
    /// Where it is reached.
    pub address: Option<String>,
    /// The largest inner packet that gets there.
    pub inner_mtu: usize,
    /// Questions asked, and answers that came.
    pub asked: u32,
    /// Answers that came.
    pub answered: u32,
    /// Shortest, middle and longest time for question and answer, in microseconds.
    pub round_trip: Option<[u64; 3]>,
    /// Filled at this rate, in kbit/s of the black network's UDP payload.
    pub offered: u32,
    /// What came of it, in kbit/s; nothing when the peer did not count, or a constant rate is kept.
    pub arrived: Option<u64>,
    /// The share of packets that did not come meanwhile.
    pub loss: Option<f64>,
}

/// How a test stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// None was asked for.
    Nothing,
    /// It goes on.
    Running,
    /// It is done.
    Done(Quality),
    /// It could not be.
    Failed(String),
}

/// An answer, and when it came.
pub struct Answer {
    /// To which question.
    pub token: Token,
    /// What the peer had counted.
    pub tally: Tally,
    /// When it came.
    pub at: Instant,
}

/// The one test.
pub struct Tester {
    running: AtomicBool,
    outcome: Mutex<Outcome>,
    answers: Mutex<Option<Sender<Answer>>>,
}

impl Default for Tester {
    fn default() -> Self {
        Self { running: AtomicBool::new(false), outcome: Mutex::new(Outcome::Nothing), answers: Mutex::default() }
    }
}

impl Tester {
    /// How the last test stands.
    pub fn outcome(&self) -> Outcome {
        lock(&self.outcome).clone()
    }

    /// Hands an answer to whoever waits for it.
    pub fn heard(&self, answer: Answer) {
        if let Some(waiting) = &*lock(&self.answers) {
            let _ = waiting.send(answer);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

/// Begins a test of the link with this site; says why not.
pub fn begin(control: &Arc<Control>, site: &str, rate: u32) -> Result<(), String> {
    if !RATES.contains(&rate) {
        return Err(format!("the rate must be {} to {} kbit/s", RATES.start(), RATES.end()));
    }
    let peer = control.peers().into_iter().find(|peer| peer.name == site && peer.state().granted());
    let peer = peer.ok_or_else(|| format!("the policy grants no link with `{site}`"))?;
    if control.tester.running.swap(true, Ordering::AcqRel) {
        return Err("another test is running".into());
    }
    *lock(&control.tester.outcome) = Outcome::Running;
    let testing = control.clone();
    let started = std::thread::Builder::new().name("test".into()).spawn(move || {
        let (sender, answers) = channel();
        *lock(&testing.tester.answers) = Some(sender);
        let outcome = run(&testing, &peer, rate, &answers).map_or_else(Outcome::Failed, Outcome::Done);
        *lock(&testing.tester.answers) = None;
        *lock(&testing.tester.outcome) = outcome;
        testing.tester.running.store(false, Ordering::Release);
    });
    started.map(|_| ()).map_err(|e| {
        control.tester.running.store(false, Ordering::Release);
        e.to_string()
    })
}

fn run(control: &Control, peer: &Peer, rate: u32, answers: &Receiver<Answer>) -> Result<Quality, String> {
    let (out, _) = control.plane.report();
    let standing = out.peers.get(peer.number.0).filter(|standing| standing.epoch.is_some());
    let path =
        standing.and_then(|standing| standing.path).ok_or("the link does not encrypt: there is nothing to test")?;
    let (answered, mut times) = ask_often(control, peer, answers)?;
    times.sort_unstable();
    let pick = |at: usize| times.get(at).copied();
    let round_trip =
        pick(0).zip(pick(times.len() / 2)).zip(times.last()).map(|((least, middle), most)| [least, middle, *most]);
    let filled = if answered == 0 || control.directory().shaping(&peer.name).cover_kilobits.is_some() {
        None
    } else {
        fill(control, peer, (rate, path), answers)?
    };
    Ok(Quality {
        site: peer.name.clone(),
        address: path.address.map(|address| address.to_string()),
        inner_mtu: path.mtu,
        asked: QUESTIONS,
        answered,
        round_trip,
        offered: rate,
        arrived: filled.map(|filled| filled.kilobits),
        loss: filled.map(|filled| filled.loss),
    })
}

/// Answers that came, and how long each took.
fn ask_often(control: &Control, peer: &Peer, answers: &Receiver<Answer>) -> Result<(u32, Vec<u64>), String> {
    let (mut answered, mut times) = (0u32, Vec::new());
    for _ in 0..QUESTIONS {
        let began = Instant::now();
        if let Some(answer) = ask(control, peer, answers)? {
            answered = answered.saturating_add(1);
            times.push(u64::try_from(answer.at.duration_since(began).as_micros()).unwrap_or(u64::MAX));
        }
        std::thread::sleep(BETWEEN.saturating_sub(began.elapsed()));
    }
    Ok((answered, times))
}

fn ask(control: &Control, peer: &Peer, answers: &Receiver<Answer>) -> Result<Option<Answer>, String> {
    let mut token = Token::default();
    rand::fill(&mut token).map_err(|_| "the system has no randomness")?;
    control.plane.measure(peer.number, Measure::Ask(token));
    let end = Instant::now() + PATIENCE;
    loop {
        match answers.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(answer) if answer.token == token => return Ok(Some(answer)),
            Ok(_too_late) => {}
            Err(_) => return Ok(None),
        }
    }
}

/// What came while the link was filled.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Filled {
    kilobits: u64,
    loss: f64,
}

fn fill(
    control: &Control,
    peer: &Peer,
    (rate, path): (u32, PathStanding),
    answers: &Receiver<Answer>,
) -> Result<Option<Filled>, String> {
    let Some(before) = count(control, peer, answers)? else { return Ok(None) };
    let datagram = esp::sealed_len(path.mtu).max(1) as f64;
    let (began, mut sent) = (Instant::now(), 0.0);
    while began.elapsed() < FILLING {
        let due = began.elapsed().as_secs_f64() * f64::from(rate) * 125.0 / datagram;
        let packets = (due - sent).max(0.0).floor();
        control.plane.fill(peer.number, packets as u32);
        sent += packets;
        std::thread::sleep(STEP);
    }
    Ok(count(control, peer, answers)?.and_then(|after| between(&before, &after)))
}

fn count(control: &Control, peer: &Peer, answers: &Receiver<Answer>) -> Result<Option<Tally>, String> {
    for _ in 0..ATTEMPTS {
        if let Some(answer) = ask(control, peer, answers)? {
            return Ok(Some(answer.tally));
        }
    }
    Ok(None)
}

/// Nothing when the keys were renewed in between: another SA counts from one.
fn between(before: &Tally, after: &Tally) -> Option<Filled> {
    let sent = after.sent.checked_sub(before.sent).filter(|sent| *sent > 0)?;
    let came = after.came.checked_sub(before.came)?;
    let micros = after.micros.checked_sub(before.micros).filter(|micros| *micros > 0)?;
    let octets = after.octets.checked_sub(before.octets)?;
    let kilobits = u64::try_from(u128::from(octets) * 8_000 / u128::from(micros)).ok()?;
    Some(Filled { kilobits, loss: sent.saturating_sub(came) as f64 / sent as f64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_counts_make_rate_and_loss_unless_keys_changed_in_between() {
        let before = Tally { sent: 100, came: 90, octets: 1_000, micros: 5_000_000 };
        let after = Tally { sent: 300, came: 240, octets: 251_000, micros: 7_000_000 };
        assert_eq!(between(&before, &after), Some(Filled { kilobits: 1000, loss: 0.25 }));
        assert_eq!(between(&after, &Tally { sent: 3, ..after }), None);
        assert_eq!(between(&before, &Tally { micros: before.micros, ..after }), None);
    }
}
