//! Forked children. Threads of the parent may hold any lock at the fork, so a child only uses the module, which must survive
//! that, and leaves by `_exit`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Seconds after which a child hangs.
const DEADLINE: u32 = 60;

/// A child that somebody must wait for.
pub struct Forked(libc::pid_t);

impl Forked {
    /// Runs `child` in a forked process; its answer is the exit status.
    pub fn start(child: impl FnOnce() -> Result<(), String>) -> Self {
        // SAFETY: the child only uses the module, and leaves by `_exit`.
        let id = unsafe { libc::fork() };
        assert!(id >= 0, "fork failed");
        if id == 0 {
            // It ends though nobody may be there any more to end it.
            // SAFETY: sets a timer of this process.
            unsafe { libc::alarm(DEADLINE) };
            // A panic would end the only thread, and so the process, as if all were well.
            let outcome = catch_unwind(AssertUnwindSafe(child)).unwrap_or(Err("a panic".into()));
            if let Err(why) = &outcome {
                eprintln!("in the child: {why}");
            }
            // SAFETY: ends this process at once.
            unsafe { libc::_exit(i32::from(outcome.is_err())) };
        }
        Forked(id)
    }

    pub fn kill(&self) {
        // SAFETY: it is our child and was not waited for.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
    }

    /// Its status.
    pub fn wait(self) -> libc::c_int {
        let mut status = 0;
        let deadline = Instant::now() + Duration::from_secs(DEADLINE.into());
        // SAFETY: it is our child, `status` a local.
        while unsafe { libc::waitpid(self.0, &mut status, libc::WNOHANG) } == 0 {
            if Instant::now() > deadline {
                self.kill();
                panic!("the child hangs");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        status
    }
}

/// Runs `child` in a forked process, in which nothing may fail.
pub fn in_child(child: impl FnOnce() -> Result<(), String>) {
    let status = Forked::start(child).wait();
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "the child ended with {status:#x}");
}
