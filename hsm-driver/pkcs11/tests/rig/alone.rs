//! A test in a process of its own, so that its threads, descriptors and forks are all there are, and a hang is a failure.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// Tells this program that it is the process of one test.
const VARIABLE: &str = "COLOA_TEST_ALONE";

/// Gives a test's body a process of its own, that must end well and in time. The body is a closure in the test, which is how
/// the test's name is known.
pub fn alone<F: FnOnce()>(deadline: Duration, body: F) {
    alone_under(&[], deadline, body);
}

/// The same in a program that watches it.
pub fn alone_under<F: FnOnce()>(watcher: &[&str], deadline: Duration, body: F) {
    if std::env::var_os(VARIABLE).is_some() {
        return body();
    }
    let program = std::env::current_exe().unwrap();
    let mut words = watcher.iter().map(OsStr::new).chain([program.as_os_str()]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words).args(only::<F>());
    let (status, said) = run(&mut command, deadline);
    assert!(status.success(), "{status}\n{said}");
    assert!(said.contains("1 passed"), "the test did not find itself:\n{said}");
}

/// What makes a test program perform the test that this closure is in.
fn only<F>() -> [&'static str; 4] {
    let path = std::any::type_name::<F>().trim_end_matches("::{{closure}}");
    let (_, name) = path.split_once("::").unwrap();
    [name, "--exact", "--nocapture", "--test-threads=1"]
}

/// Its status and what it said.
fn run(command: &mut Command, deadline: Duration) -> (ExitStatus, String) {
    let mut output = tempfile::tempfile().unwrap();
    let another = |file: &File| file.try_clone().unwrap();
    let started = command.env(VARIABLE, "1").stdout(another(&output)).stderr(another(&output)).spawn();
    let status = wait(started.unwrap_or_else(|e| panic!("{command:?}: {e} (cargo xtask setup)")), deadline);
    let mut said = Vec::new();
    output.rewind().unwrap();
    output.read_to_end(&mut said).unwrap();
    (status, String::from_utf8_lossy(&said).into_owned())
}

/// Who is not done in time is killed: the status says so.
fn wait(mut child: Child, deadline: Duration) -> ExitStatus {
    let end = Instant::now() + deadline;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > end {
            eprintln!("after {deadline:?} it hangs");
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
