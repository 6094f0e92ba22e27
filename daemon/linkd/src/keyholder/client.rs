//! The daemon's side: a thread that starts the keyholder, hands it digests and waits no longer than the deadline.
//!
//! The thread exists so that the keyholder is a child of the daemon's first namespace, whichever namespace a signature is
//! wanted from: a token on the network is reached over management, never over black.

use std::io;
use std::os::fd::AsFd;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::process::KeySpec;
use super::{Answer, read_message, write_message};
use crate::fault::Fault;
use crate::privileges;

/// Signs with the key in the token. Cheap to clone; all clones share one keyholder.
#[derive(Clone, Debug)]
pub struct Keyholder {
    requests: Sender<Request>,
    deadline: Duration,
}

struct Request {
    digest: Vec<u8>,
    answer: SyncSender<Result<Vec<u8>, String>>,
}

impl Keyholder {
    /// Starts the keyholder and waits until its token is open.
    pub fn start(spec: KeySpec, deadline: Duration) -> Result<Self, Fault> {
        let (requests, inbox) = channel();
        let (ready, opened) = sync_channel(1);
        std::thread::Builder::new()
            .name("keyholder".into())
            .spawn(move || serve(&spec, deadline, &inbox, &ready))
            .map_err(Fault::token)?;
        opened.recv().map_err(Fault::token)?.map_err(|why| Fault::Token { why })?;
        Ok(Self { requests, deadline })
    }

    /// The signature r‖s of a digest.
    pub fn sign(&self, digest: &[u8]) -> Result<Vec<u8>, String> {
        let (answer, wait) = sync_channel(1);
        let request = Request { digest: digest.to_vec(), answer };
        self.requests.send(request).map_err(|_| "the keyholder's thread has ended".to_owned())?;
        // Two attempts of the thread, and the queue in front of it, have to fit.
        match wait.recv_timeout(self.deadline.saturating_mul(3)) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => Err("the token did not sign in time".into()),
            Err(RecvTimeoutError::Disconnected) => Err("the keyholder's thread has ended".into()),
        }
    }
}

fn serve(spec: &KeySpec, deadline: Duration, inbox: &Receiver<Request>, ready: &SyncSender<Result<(), String>>) {
    // The keyholder inherits what this thread has: no right at all.
    let started = privileges::drop_all()
        .map_err(|e| format!("capabilities cannot be given up: {e}"))
        .and_then(|()| Process::start(spec, deadline));
    let mut process = match started {
        Ok(process) => {
            let _ = ready.send(Ok(()));
            Some(process)
        }
        Err(why) => {
            let _ = ready.send(Err(why));
            return;
        }
    };
    for request in inbox {
        let result = sign_once_more(&mut process, spec, deadline, &request.digest);
        // The caller may have given up waiting.
        let _ = request.answer.send(result);
    }
}

/// One retry with a fresh process: a token may have been restarted in between.
fn sign_once_more(
    process: &mut Option<Process>,
    spec: &KeySpec,
    deadline: Duration,
    digest: &[u8],
) -> Result<Vec<u8>, String> {
    if let Some(running) = process {
        match running.sign(digest, deadline) {
            Ok(signature) => return Ok(signature),
            Err(why) => tracing::warn!(%why, "keyholder is started anew"),
        }
    }
    *process = None;
    let fresh = process.insert(Process::start(spec, deadline)?);
    fresh.sign(digest, deadline)
}

/// The running keyholder; ends with this value.
struct Process {
    child: Child,
    requests: ChildStdin,
    answers: ChildStdout,
}

impl Process {
    fn start(spec: &KeySpec, deadline: Duration) -> Result<Self, String> {
        let words = |e: io::Error| format!("the keyholder process: {e}");
        let mut child = command(spec).and_then(|mut c| c.spawn()).map_err(words)?;
        let (requests, answers) = (child.stdin.take(), child.stdout.take());
        let (Some(requests), Some(answers)) = (requests, answers) else {
            return Err("the keyholder process has no pipes".into());
        };
        let mut process = Self { child, requests, answers };
        // Loading a module and logging in takes longer than a signature.
        process.answer(deadline.saturating_mul(2)).map(|_| process)
    }

    fn sign(&mut self, digest: &[u8], deadline: Duration) -> Result<Vec<u8>, String> {
        write_message(&mut self.requests, digest).map_err(|e| format!("the keyholder is gone: {e}"))?;
        self.answer(deadline)
    }

    fn answer(&mut self, deadline: Duration) -> Result<Vec<u8>, String> {
        self.wait(deadline).map_err(|e| format!("the token did not answer: {e}"))?;
        match read_message(&mut self.answers).and_then(|m| m.map(Answer::parse).transpose()) {
            Ok(Some(Answer::Done(body))) => Ok(body),
            Ok(Some(Answer::Refused(why))) => Err(why),
            Ok(None) => Err("the keyholder process ended".into()),
            Err(e) => Err(format!("the keyholder process: {e}")),
        }
    }

    /// Waits for the first octet; the keyholder writes each answer in one piece.
    fn wait(&self, deadline: Duration) -> io::Result<()> {
        let end = Instant::now() + deadline;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
            match poll(&mut [PollFd::from_borrowed_fd(self.answers.as_fd(), PollFlags::IN)], Some(&timeout)) {
                Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
                Err(rustix::io::Errno::INTR) => {}
                other => return other.map(|_| ()).map_err(Into::into),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(spec: &KeySpec) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("keyholder").arg("--module").arg(&spec.module).arg("--token").arg(&spec.token);
    if let Some(key) = &spec.key {
        command.arg("--key").arg(key);
    }
    if let Some(id) = &spec.key_id {
        command.arg("--key-id").arg(id);
    }
    command.arg("--pin-file").arg(&spec.pin_file);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    Ok(command)
}
