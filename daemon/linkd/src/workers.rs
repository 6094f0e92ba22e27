//! Threads for what must not hold up the tasks of the control side: the arithmetic of handshakes, and waiting for the token,
//! for rustls signs synchronously.
//!
//! Two bounds, because they bind different things: as many handshakes *compute* as there are cores, so that a storm of them
//! does not crowd out the data plane; and [`SIGNING`] may be *on their way through the token*, so that one with latency is
//! kept busy. Who begins to wait for the token lets go of its core ([`let_go_of_core`]).

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

/// Handshakes that may be between the first octet to sign and the signature. A token that answers in 50 ms is kept busy up
/// to 1,280 signatures a second; more than that no token in the network does.
pub const SIGNING: usize = 64;
/// Of these, for dialling and for addresses at which a peer was before: strangers cannot keep them from the token.
const KEPT_FOR_KNOWN: usize = 16;
/// Threads beside those: orders to the data plane that wait for an answer.
const OTHER: usize = 16;
/// Threads that the runtime may have for all of it.
pub const MAX_THREADS: usize = SIGNING + OTHER;

/// What a piece of work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It needs a signature of the token.
    Signs {
        /// For a peer, or for someone at an address where one was before.
        known: bool,
    },
    /// It only checks what somebody proves: it goes before all that begins.
    Checks,
}

/// The bounds.
#[derive(Clone, Debug)]
pub struct Workers {
    cores: Arc<Semaphore>,
    signing: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
}

thread_local! {
    static CORE: RefCell<Option<OwnedSemaphorePermit>> = const { RefCell::new(None) };
}

/// Called by who begins to wait for the token: another handshake may compute meanwhile.
pub fn let_go_of_core() {
    drop(CORE.take());
}

impl Workers {
    /// For this machine.
    pub fn new() -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        let cores = available_parallelism().map_or(1, usize::from);
        Self {
            cores: semaphore(cores),
            signing: semaphore(SIGNING),
            strangers: semaphore(SIGNING.saturating_sub(KEPT_FOR_KNOWN)),
        }
    }

    /// Does `job` on a thread when it is its turn, but not if `gone` comes true before. A panic in it is its caller's error.
    pub async fn work<T: Send + 'static>(
        &self,
        step: Step,
        gone: impl Future<Output = ()>,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let turn = tokio::select! {
            biased;
            () = gone => return Err(io::ErrorKind::ConnectionAborted.into()),
            turn = self.turn(step) => turn?,
        };
        let (core, signing) = turn;
        let on_thread = move || {
            CORE.set(Some(core));
            let result = job();
            let_go_of_core();
            drop(signing);
            result
        };
        spawn_blocking(on_thread).await.map_err(io::Error::other)
    }

    /// A core, and what else the step needs.
    async fn turn(&self, step: Step) -> io::Result<(OwnedSemaphorePermit, Vec<OwnedSemaphorePermit>)> {
        let wanted: &[&Arc<Semaphore>] = match step {
            Step::Signs { known: false } => &[&self.strangers, &self.signing],
            Step::Signs { known: true } => &[&self.signing],
            Step::Checks => &[],
        };
        let mut held = Vec::with_capacity(wanted.len());
        for semaphore in wanted {
            held.push(Arc::clone(semaphore).acquire_owned().await.map_err(io::Error::other)?);
        }
        let core = self.cores.clone().acquire_owned().await.map_err(io::Error::other)?;
        Ok((core, held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("runtime")
    }

    #[test]
    fn who_waits_for_the_token_keeps_no_core() {
        let (workers, waiting) = (Workers::new(), Arc::new(AtomicUsize::new(0)));
        runtime().block_on(async {
            let jobs: Vec<_> = (0..SIGNING)
                .map(|_| {
                    let (workers, waiting) = (workers.clone(), waiting.clone());
                    tokio::spawn(async move {
                        let job = move || {
                            let_go_of_core();
                            waiting.fetch_add(1, Ordering::SeqCst);
                            // All of them wait at once, or this never ends.
                            while waiting.load(Ordering::SeqCst) < SIGNING {
                                std::thread::sleep(Duration::from_millis(1));
                            }
                        };
                        workers.work(Step::Signs { known: true }, std::future::pending(), job).await
                    })
                })
                .collect();
            for job in jobs {
                job.await.expect("no panic").expect("done");
            }
        });
    }

    #[test]
    fn strangers_do_not_keep_peers_from_the_token() {
        // The runtime is dropped last: it waits for its threads, and they for `end`.
        let (runtime, workers) = (runtime(), Workers::new());
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let ended = Arc::new(std::sync::Mutex::new(ended));
        for _ in 0..SIGNING {
            let (workers, ended) = (workers.clone(), ended.clone());
            runtime.spawn(async move {
                let job = move || {
                    let_go_of_core();
                    let _ = ended.lock().map(|e| e.recv());
                };
                workers.work(Step::Signs { known: false }, std::future::pending(), job).await
            });
        }
        let peer = async {
            let peer = workers.work(Step::Signs { known: true }, std::future::pending(), || 7);
            tokio::time::timeout(Duration::from_secs(20), peer).await
        };
        assert_eq!(runtime.block_on(peer).expect("in time").expect("done"), 7);
        drop(end);
    }

    #[test]
    fn nobody_works_for_a_peer_that_has_hung_up_and_a_panic_is_an_error() {
        let workers = Workers::new();
        runtime().block_on(async {
            let gone = workers.work(Step::Checks, std::future::ready(()), || ()).await;
            assert_eq!(gone.expect_err("gone").kind(), io::ErrorKind::ConnectionAborted);
            let panics = workers.work(Step::Checks, std::future::pending(), || panic!("on purpose")).await;
            assert!(panics.is_err());
            workers.work(Step::Checks, std::future::pending(), || ()).await.expect("the core was given back");
        });
    }
}
