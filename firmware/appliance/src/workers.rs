//! A few threads for commands that would keep others waiting.

use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

type Job = Box<dyn FnOnce() + Send>;

/// The threads' queue. It is bounded by its callers: each channel has a few jobs at most.
pub(crate) struct Workers {
    queue: Mutex<Queue>,
    more: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    idle: usize,
    threads: usize,
    limit: usize,
}

impl Workers {
    /// At most `limit` threads, each started when it is needed.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Workers { queue: Mutex::new(Queue { limit, ..Queue::default() }), more: Condvar::new() })
    }

    /// Has a job done; gives it back when no thread can be had.
    pub(crate) fn take(self: &Arc<Self>, job: Job) -> Result<(), Job> {
        let mut queue = self.queue.lock();
        if queue.idle <= queue.jobs.len() && queue.threads < queue.limit {
            let own = self.clone();
            let started = std::thread::Builder::new().name("worker".into()).spawn(move || own.work());
            match started {
                Ok(_) => queue.threads += 1,
                Err(_) if queue.threads == 0 => return Err(job),
                Err(_) => {}
            }
        }
        queue.jobs.push_back(job);
        drop(queue);
        self.more.notify_one();
        Ok(())
    }

    fn work(&self) {
        loop {
            let mut queue = self.queue.lock();
            let job = loop {
                match queue.jobs.pop_front() {
                    Some(job) => break job,
                    None => {
                        queue.idle += 1;
                        self.more.wait(&mut queue);
                        queue.idle -= 1;
                    }
                }
            };
            drop(queue);
            // A job that panics takes its own channel's answer with it, not the thread that others count on.
            if catch_unwind(AssertUnwindSafe(job)).is_err() {
                tracing::error!("a command panicked");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::mpsc::channel;

    #[test]
    fn jobs_run_beside_each_other() {
        let workers = Workers::new(4);
        let (all, done) = (Arc::new(Barrier::new(4)), channel());
        for _ in 0..4 {
            let (all, tell) = (all.clone(), done.0.clone());
            assert!(
                workers
                    .take(Box::new(move || {
                        // Passes only when all four run at once.
                        all.wait();
                        tell.send(()).unwrap();
                    }))
                    .is_ok()
            );
        }
        (0..4).for_each(|_| done.1.recv().unwrap());
        assert!(workers.queue.lock().threads <= 4);
    }
}
