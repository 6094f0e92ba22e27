//! Boundary B2 at its worst: many threads that call what no careful program calls, forks, kills, and a module that ends and
//! begins in between. Each test has a process of its own, which must end in time (R24).

#[macro_use]
mod rig;
#[path = "turmoil/cycles.rs"]
mod cycles;
mod fuzzed;
#[path = "turmoil/killed.rs"]
mod killed;
#[path = "../../client/tests/rig/mod.rs"]
mod server;
#[path = "turmoil/slot.rs"]
mod slot;
#[path = "turmoil/threads.rs"]
mod threads;

use rig::alone::{alone, alone_under};
use std::time::Duration;

/// Many times what any of them takes on a slow machine.
const DEADLINE: Duration = Duration::from_secs(180);

/// Fair, because else one thread that never sleeps keeps the others from running for minutes. A leak is an error.
const VALGRIND: [&str; 6] = [
    "valgrind",
    "--fair-sched=yes",
    "--leak-check=full",
    "--show-leak-kinds=definite",
    "--errors-for-leak-kinds=definite",
    "--error-exitcode=99",
];

#[test]
fn any_calls_of_many_threads_are_stood_and_forked_children_sign() {
    alone(DEADLINE, || threads::play(Duration::from_secs(6), 2));
}

#[test]
fn what_a_killed_process_said_it_had_made_is_there() {
    alone(DEADLINE, || killed::play(20));
}

#[test]
fn a_module_that_ends_while_threads_are_in_it_leaves_nothing_open() {
    alone(DEADLINE, || cycles::play(60));
}

/// Valgrind makes everything some thirty times slower, so it gets less of the same. It gets no forks: what the parent's other
/// threads held is lost to a child, which is no leak.
#[test]
fn valgrind_sees_no_wrong_access_and_no_leak() {
    alone_under(&VALGRIND, DEADLINE, || {
        threads::play(Duration::from_secs(8), 0);
        cycles::play(1);
    });
}
