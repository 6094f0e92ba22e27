//! A few threads for commands that would keep others waiting; callers take turns at them ([`crate::turns`]).

use crate::turns::Turns;
use coloa_wire::Identity;
use parking_lot::{Condvar, Mutex};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

type Job = Box<dyn FnOnce() + Send>;

/// The threads for each kind of waiting, so that none of them keeps another's jobs from running.
pub(crate) struct Pools {
    /// What waits for the disk.
    pub commits: Arc<Workers>,
    /// What stretches a PIN: memory and a core for tens of milliseconds. A few at once, whoever asks.
    pub logins: Arc<Workers>,
    /// What computes for milliseconds and more: as many as there are cores.
    pub computes: Arc<Workers>,
}

impl Pools {
    pub(crate) fn new(commits: usize) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Pools {
            commits: Workers::new(commits),
            // One waits for the disk while another computes.
            logins: Workers::new((cores / 2).max(2)),
            computes: Workers::new(cores),
        }
    }

    /// How many jobs wait for a thread, by pool.
    pub(crate) fn waiting(&self) -> [(&'static str, usize); 3] {
        let pools = [("commits", &self.commits), ("logins", &self.logins), ("computes", &self.computes)];
        pools.map(|(name, pool)| (name, pool.waiting()))
    }
}

/// The threads' queue. It is bounded by its callers: each channel has a few jobs at most.
pub(crate) struct Workers {
    queue: Mutex<Queue>,
    more: Condvar,
    /// Jobs that wait or run, for who only looks.
    taken: AtomicUsize,
}

struct Queue {
    turns: Turns<Identity, Job>,
    idle: usize,
    threads: usize,
    limit: usize,
}

impl Queue {
    /// How many threads one caller may keep busy, so that jobs which do not end leave some to the others.
    fn share(&self) -> usize {
        self.limit - self.limit / 4
    }
}

impl Workers {
    /// At most `limit` threads, each started when it is needed.
    fn new(limit: usize) -> Arc<Self> {
        let queue = Queue { turns: Turns::new(), idle: 0, threads: 0, limit };
        Arc::new(Workers { queue: Mutex::new(queue), more: Condvar::new(), taken: 0.into() })
    }

    /// Another number of threads from now on; those that are too many end when they have nothing to do.
    pub(crate) fn resize(&self, limit: usize) {
        self.queue.lock().limit = limit;
        self.more.notify_all();
    }

    /// Whether anybody has a job here that is not done. No lock is taken for it.
    pub(crate) fn is_in_use(&self) -> bool {
        self.taken.load(Ordering::Relaxed) > 0
    }

    fn waiting(&self) -> usize {
        self.queue.lock().turns.waiting()
    }

    /// Has a caller's job done; gives it back when no thread can be had.
    pub(crate) fn take(self: &Arc<Self>, caller: Identity, job: Job) -> Result<(), Job> {
        let mut queue = self.queue.lock();
        if queue.idle <= queue.turns.waiting() && queue.threads < queue.limit {
            let own = self.clone();
            let started = std::thread::Builder::new().name("worker".into()).spawn(move || own.work());
            match started {
                Ok(_) => queue.threads += 1,
                Err(_) if queue.threads == 0 => return Err(job),
                Err(_) => {}
            }
        }
        queue.turns.push(caller, job);
        self.taken.fetch_add(1, Ordering::Relaxed);
        drop(queue);
        self.more.notify_one();
        Ok(())
    }

    fn work(&self) {
        let mut queue = self.queue.lock();
        loop {
            let share = queue.share();
            let Some((job, bill)) = queue.turns.pop(share) else {
                if queue.threads > queue.limit {
                    queue.threads -= 1;
                    return;
                }
                queue.idle += 1;
                self.more.wait(&mut queue);
                queue.idle -= 1;
                continue;
            };
            drop(queue);
            let began = Instant::now();
            // A job that panics takes its own channel's answer with it, not the thread that others count on.
            if catch_unwind(AssertUnwindSafe(job)).is_err() {
                tracing::error!("a command panicked");
            }
            self.taken.fetch_sub(1, Ordering::Relaxed);
            let cost = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
            queue = self.queue.lock();
            queue.turns.settle(&bill, cost);
            // Its caller may have jobs again that waited for its share: somebody who is idle has to see them.
            if queue.idle > 0 && queue.turns.waiting() > 1 {
                self.more.notify_one();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::mpsc::channel;

    const ONE: Identity = Identity([1; 32]);
    const OTHER: Identity = Identity([2; 32]);

    /// A job that waits for all the others.
    fn meets(all: &Arc<Barrier>) -> Job {
        let all = all.clone();
        Box::new(move || {
            all.wait();
        })
    }

    #[test]
    fn jobs_run_beside_each_other() {
        let workers = Workers::new(4);
        let (all, done) = (Arc::new(Barrier::new(4)), channel());
        for caller in [ONE, ONE, ONE, OTHER] {
            let (all, tell) = (all.clone(), done.0.clone());
            let job = move || {
                // Passes only when all four run at once.
                all.wait();
                tell.send(()).unwrap();
            };
            assert!(workers.take(caller, Box::new(job)).is_ok());
        }
        (0..4).for_each(|_| done.1.recv().unwrap());
        assert!(workers.queue.lock().threads <= 4);
    }

    /// R22: of a thousand jobs that one caller has sent, those of another wait for one.
    #[test]
    fn a_flood_delays_another_caller_by_one_job() {
        let workers = Workers::new(1);
        let (order, hold) = (channel(), Arc::new(Barrier::new(2)));
        assert!(workers.take(ONE, meets(&hold)).is_ok());
        for n in 0..1_000 {
            let tell = order.0.clone();
            assert!(workers.take(ONE, Box::new(move || tell.send(n).unwrap())).is_ok());
        }
        let tell = order.0.clone();
        assert!(workers.take(OTHER, Box::new(move || tell.send(-1).unwrap())).is_ok());
        hold.wait();
        let first: Vec<i32> = (0..2).map(|_| order.1.recv().unwrap()).collect();
        assert!(first.contains(&-1), "{first:?} were done first");
        assert_eq!((0..999).filter(|_| order.1.recv().unwrap() >= 0).count(), 999);
    }

    #[test]
    fn fewer_threads_are_left_when_fewer_are_wanted() {
        let workers = Workers::new(4);
        let all = Arc::new(Barrier::new(4));
        for caller in [ONE, ONE, OTHER] {
            assert!(workers.take(caller, meets(&all)).is_ok());
        }
        all.wait();
        workers.resize(1);
        let since = Instant::now();
        while workers.queue.lock().threads > 1 {
            assert!(since.elapsed().as_secs() < 60, "they stay");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let (tell, done) = channel();
        assert!(workers.take(ONE, Box::new(move || tell.send(()).unwrap())).is_ok());
        done.recv().unwrap();
    }
}
