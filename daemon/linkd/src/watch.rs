//! Threads and tasks that the daemon cannot do without. When one of them ends without being told, the daemon ends: better dark and
//! restarted than half alive, with a link that nobody renews or cuts.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Exit code when such a thread failed.
const THREAD_FAILED: i32 = 70;

/// Starts a thread whose panic ends the daemon.
pub fn spawn(name: &'static str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    spawn_until(name, move || {
        body();
        true
    })
}

/// The same for a body that says whether it ended as it should.
pub fn spawn_until(name: &'static str, body: impl FnOnce() -> bool + Send + 'static) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.into()).spawn(move || {
        let watch = Watch(name);
        if body() {
            std::mem::forget(watch);
        }
    })
}

/// The same for a task: when it panics, the daemon ends. That the runtime drops it at the daemon's end is no failure.
pub async fn task(name: &'static str, body: impl Future<Output = ()>) {
    let _watch = TaskWatch(name);
    body.await;
}

struct TaskWatch(&'static str);

impl Drop for TaskWatch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            drop(Watch(self.0));
        }
    }
}

struct Watch(&'static str);

impl Drop for Watch {
    fn drop(&mut self) {
        tracing::error!(thread = self.0, "a thread failed: the daemon ends, the links are blocked");
        std::process::exit(THREAD_FAILED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_the_process() {
        const INSIDE: &str = "COLOA_WATCH_TEST";
        if std::env::var_os(INSIDE).is_some() {
            let _ = spawn("guard", || panic!("on purpose")).expect("thread").join();
            return;
        }
        let mut own = std::process::Command::new(std::env::current_exe().expect("own name"));
        let test = own.args(["--exact", "watch::tests::a_panic_ends_the_process"]).env(INSIDE, "1");
        assert_eq!(test.output().expect("own program").status.code(), Some(THREAD_FAILED));
    }

    #[test]
    fn a_panic_in_a_task_ends_the_process() {
        const INSIDE: &str = "COLOA_WATCH_TASK_TEST";
        if std::env::var_os(INSIDE).is_some() {
            let runtime = tokio::runtime::Builder::new_multi_thread().build().expect("runtime");
            let body = async {
                tokio::task::yield_now().await;
                panic!("on purpose");
            };
            let _ = runtime.block_on(async { tokio::spawn(task("dial", body)).await });
            return;
        }
        let mut own = std::process::Command::new(std::env::current_exe().expect("own name"));
        let test = own.args(["--exact", "watch::tests::a_panic_in_a_task_ends_the_process"]).env(INSIDE, "1");
        assert_eq!(test.output().expect("own program").status.code(), Some(THREAD_FAILED));
    }

    #[test]
    fn a_task_that_is_dropped_with_its_runtime_has_not_failed() {
        let runtime = tokio::runtime::Builder::new_multi_thread().build().expect("runtime");
        runtime.spawn(task("dial", std::future::pending()));
        drop(runtime);
    }

    #[test]
    fn an_end_that_was_asked_for_is_none() {
        spawn("guard", || {}).expect("thread").join().expect("no panic");
    }
}
