//! Boundary B2 at its worst: many threads that call what no careful program calls, forks, kills, and a module that ends and
//! begins in between. Each test has a process of its own, which must end in time.

#[macro_use]
mod rig;
mod fuzzed;
#[path = "turmoil/killed.rs"]
mod killed;
#[path = "../../client/tests/rig/mod.rs"]
mod server;
#[path = "turmoil/slot.rs"]
mod slot;
#[path = "turmoil/threads.rs"]
mod threads;

use rig::alone::alone;
use std::time::Duration;

/// Many times what any of them takes on a slow machine.
const DEADLINE: Duration = Duration::from_secs(180);

#[test]
fn any_calls_of_many_threads_are_stood_and_forked_children_sign() {
    alone(DEADLINE, || threads::play(Duration::from_secs(6)));
}

#[test]
fn what_a_killed_process_said_it_had_made_is_there() {
    alone(DEADLINE, || killed::play(20));
}
