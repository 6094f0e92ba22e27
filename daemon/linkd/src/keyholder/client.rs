//! The daemon's side: hands digests to the keyholder, many at a time, and waits no longer than the deadline.
//!
//! One thread starts the keyholder, hears its answers and starts it anew when it fails or falls silent; so the keyholder is a
//! child of the daemon's first namespace, whichever namespace a signature is wanted from: a token on the network is reached
//! over management, never over black. While the token is away, requests fail at once instead of waiting in vain, and it is
//! looked for until it is back.

use std::collections::HashMap;
use std::io;
use std::process::ChildStdin;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::child::{Heard, Process, Started};
use super::process::KeySpec;
use super::{Answer, Request, Wish};
use crate::fault::Fault;
use crate::privileges;
use crate::workers::let_go_of_core;

/// The pauses between attempts to find a token that is away: the first, and the longest it grows to.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A keyholder that refuses so soon after its start is not started anew for that: another one would refuse as well.
const FRESH: Duration = Duration::from_secs(1);
/// A request is made once more, to a fresh keyholder: a token may have been restarted in between.
const ATTEMPTS: u32 = 2;
/// When nothing else was asked for so long, the token is looked at: its absence is told before it hurts.
const LOOK_AFTER: Duration = Duration::from_secs(15);

/// Signs with the key in the token. Cheap to clone; all clones share one keyholder.
#[derive(Clone)]
pub struct Keyholder {
    shared: Arc<Shared>,
    deadline: Duration,
}

impl std::fmt::Debug for Keyholder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyholder")
    }
}

struct Shared(Mutex<State>);

#[derive(Default)]
struct State {
    /// Whom to ask; nothing while the keyholder starts.
    running: Option<ChildStdin>,
    /// Why there is no token, while there is none.
    away: Option<String>,
    waiting: HashMap<u32, Waiting>,
    next: u32,
    /// Nobody answers a request that has waited since before this.
    heard: Option<Instant>,
}

struct Waiting {
    request: Request,
    /// Nothing when the daemon only looks.
    answer: Option<SyncSender<Result<Vec<u8>, String>>>,
    since: Instant,
    attempts: u32,
}

impl Keyholder {
    /// Starts the keyholder and waits until its token is open.
    pub fn start(spec: KeySpec, deadline: Duration) -> Result<Self, Fault> {
        let shared = Arc::new(Shared(Mutex::default()));
        let (ready, opened) = sync_channel(1);
        let supervisor = Supervisor { shared: shared.clone(), spec, deadline };
        std::thread::Builder::new()
            .name("keyholder".into())
            .spawn(move || supervisor.run(&ready))
            .map_err(Fault::token)?;
        opened.recv().map_err(Fault::token)?.map_err(|why| Fault::Token { why })?;
        Ok(Self { shared, deadline })
    }

    /// The signature r‖s of a digest.
    pub fn sign(&self, digest: &[u8]) -> Result<Vec<u8>, String> {
        let (answer, wait) = sync_channel(1);
        self.shared.lock().ask(Wish::Sign(digest.to_vec()), Some(answer))?;
        let_go_of_core();
        // Two attempts, and the queue in front of them, have to fit.
        match wait.recv_timeout(self.deadline.saturating_mul(3)) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => Err("the token did not sign in time".into()),
            Err(RecvTimeoutError::Disconnected) => Err("the keyholder's thread has ended".into()),
        }
    }

    /// Why no signature can be had, while that is so.
    pub fn away(&self) -> Option<String> {
        self.shared.lock().away.clone()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl State {
    fn ask(&mut self, wish: Wish, answer: Option<SyncSender<Result<Vec<u8>, String>>>) -> Result<(), String> {
        if let Some(why) = &self.away {
            return Err(format!("the token is away: {why}"));
        }
        self.next = self.next.wrapping_add(1).max(1);
        let (number, since) = (self.next, Instant::now());
        let waiting = Waiting { request: Request { number, wish }, answer, since, attempts: 1 };
        // A keyholder that does not take it has ended: its successor gets it.
        self.pass_on(&waiting.request);
        self.waiting.insert(number, waiting);
        Ok(())
    }

    fn pass_on(&mut self, request: &Request) {
        let taken = self.running.as_mut().map(|to| request.write(to));
        if let Some(Err(why)) = taken {
            tracing::debug!(%why, "the keyholder takes no request");
        }
    }

    /// A fresh keyholder gets what still waits, unless that has had its attempts.
    fn renew(&mut self, requests: ChildStdin) {
        (self.running, self.away, self.heard) = (Some(requests), None, Some(Instant::now()));
        let mut again = std::mem::take(&mut self.waiting);
        for waiting in again.values() {
            self.pass_on(&waiting.request);
        }
        self.waiting = std::mem::take(&mut again);
    }

    /// The keyholder has ended: what had its attempts ends as well.
    fn lose(&mut self, why: &str) {
        self.running = None;
        self.waiting.retain(|_, waiting| {
            waiting.attempts = waiting.attempts.saturating_add(1);
            let again = waiting.attempts <= ATTEMPTS && waiting.answer.is_some();
            if !again {
                waiting.end(Err(why.to_owned()));
            }
            again
        });
    }

    /// There is no token: nobody waits for it.
    fn give_up(&mut self, why: &str) {
        (self.running, self.away) = (None, Some(why.to_owned()));
        for (_, waiting) in self.waiting.drain() {
            waiting.end(Err(why.to_owned()));
        }
    }

    /// Takes an answer; says why, when the keyholder should be started anew for it.
    fn hear(&mut self, answer: Answer, fresh: bool) -> Option<String> {
        self.heard = Some(Instant::now());
        let waiting = self.waiting.remove(&answer.number)?;
        let refusal = match answer.result {
            Ok(signature) => {
                waiting.end(Ok(signature));
                return None;
            }
            Err(refusal) => refusal,
        };
        if fresh || waiting.attempts >= ATTEMPTS {
            waiting.end(Err(refusal.why));
            return None;
        }
        // Back among those that wait: the next keyholder gets it.
        self.waiting.insert(answer.number, waiting);
        Some(refusal.why)
    }

    /// Since when somebody waits without any answer having come.
    fn unanswered_since(&self) -> Option<Instant> {
        let oldest = self.waiting.values().map(|waiting| waiting.since).min()?;
        Some(self.heard.map_or(oldest, |heard| heard.max(oldest)))
    }
}

impl Waiting {
    /// The caller may have given up waiting.
    fn end(&self, result: Result<Vec<u8>, String>) {
        if let Some(answer) = &self.answer {
            let _ = answer.send(result);
        }
    }
}

/// The thread that keeps the keyholder running.
struct Supervisor {
    shared: Arc<Shared>,
    spec: KeySpec,
    deadline: Duration,
}

impl Supervisor {
    fn run(&self, ready: &SyncSender<Result<(), String>>) {
        // The keyholder inherits what this thread has: no right at all.
        if let Err(why) = privileges::drop_all() {
            let _ = ready.send(Err(format!("capabilities cannot be given up: {why}")));
            return;
        }
        match Process::start(&self.spec, self.deadline) {
            Started::Yes(process, requests) => {
                self.shared.lock().renew(requests);
                let _ = ready.send(Ok(()));
                self.lose(&self.listen(process));
            }
            Started::No(why) | Started::Never(why) => {
                let _ = ready.send(Err(why));
                return;
            }
        }
        self.keep_running();
    }

    fn keep_running(&self) {
        let mut pause = FIRST_PAUSE;
        loop {
            match Process::start(&self.spec, self.deadline) {
                Started::Yes(process, requests) => {
                    self.shared.lock().renew(requests);
                    tracing::info!("the token is open again");
                    pause = FIRST_PAUSE;
                    self.lose(&self.listen(process));
                }
                Started::No(why) => {
                    self.tell_away(&why);
                    std::thread::sleep(pause);
                    pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
                }
                Started::Never(why) => {
                    self.tell_away(&why);
                    tracing::error!("the PIN is not tried again: correct it and restart");
                    return;
                }
            }
        }
    }

    fn lose(&self, why: &str) {
        tracing::warn!(why, "keyholder is started anew");
        self.shared.lock().lose(why);
    }

    fn tell_away(&self, why: &str) {
        let mut state = self.shared.lock();
        if state.away.as_deref() != Some(why) {
            tracing::error!(why, "the token is away: links live on, no new keys can be agreed on");
        }
        state.give_up(why);
    }

    /// Hears answers until the keyholder has to be started anew; says why.
    fn listen(&self, mut process: Process) -> String {
        let start = Instant::now();
        let mut looked = start;
        loop {
            let heard = match process.hear(self.deadline / 4) {
                Ok(heard) => heard,
                Err(why) => return format!("the keyholder process: {why}"),
            };
            let mut state = self.shared.lock();
            match heard {
                Heard::Answer(answer) => {
                    if let Some(why) = state.hear(answer, start.elapsed() < FRESH) {
                        return why;
                    }
                }
                Heard::Nothing if state.unanswered_since().is_some_and(|since| since.elapsed() >= self.deadline) => {
                    return format!("the token did not answer: {}", io::Error::from(io::ErrorKind::TimedOut));
                }
                Heard::Nothing if looked.elapsed() >= LOOK_AFTER && state.waiting.is_empty() => {
                    looked = Instant::now();
                    let _ = state.ask(Wish::Look, None);
                }
                Heard::Nothing => {}
            }
        }
    }
}
