//! The keyholder as a child process: started, heard with a deadline, and ended with this value.

use std::io::{self, BufReader};
use std::os::fd::AsFd;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::process::KeySpec;
use super::{Answer, read_message};

/// The running keyholder.
pub struct Process {
    child: Child,
    answers: BufReader<ChildStdout>,
}

/// How a start went.
pub enum Started {
    /// The token is open; requests go there.
    Yes(Process, ChildStdin),
    /// Not this time.
    No(String),
    /// And trying again would do harm.
    Never(String),
}

/// What was heard.
pub enum Heard {
    /// An answer.
    Answer(Answer),
    /// Nothing for as long as was waited.
    Nothing,
}

impl Process {
    /// Starts it and waits until its token is open: loading a module and logging in takes longer than a signature, which
    /// may take `deadline`.
    pub fn start(spec: &KeySpec, deadline: Duration) -> Started {
        let (mut process, requests) = match Self::spawn(spec) {
            Ok(spawned) => spawned,
            Err(why) => return Started::No(format!("the keyholder process: {why}")),
        };
        match process.hear(deadline.saturating_mul(2)) {
            Ok(Heard::Answer(Answer { result: Ok(_), .. })) => Started::Yes(process, requests),
            Ok(Heard::Answer(Answer { result: Err(refusal), .. })) if refusal.for_good => Started::Never(refusal.why),
            Ok(Heard::Answer(Answer { result: Err(refusal), .. })) => Started::No(refusal.why),
            Ok(Heard::Nothing) => Started::No("the token did not answer: timed out".into()),
            Err(why) => Started::No(format!("the keyholder process: {why}")),
        }
    }

    fn spawn(spec: &KeySpec) -> io::Result<(Self, ChildStdin)> {
        let mut child = command(spec)?.spawn()?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(requests), Some(answers)) => Ok((Self { child, answers: BufReader::new(answers) }, requests)),
            _ => Err(io::Error::other("it has no pipes")),
        }
    }

    /// Waits so long for the next answer; the keyholder writes each in one piece.
    pub fn hear(&mut self, deadline: Duration) -> io::Result<Heard> {
        if self.answers.buffer().is_empty() && !self.wait(deadline)? {
            return Ok(Heard::Nothing);
        }
        let message = read_message(&mut self.answers)?.ok_or_else(|| io::Error::other("it ended"))?;
        Answer::parse(&message).map(Heard::Answer)
    }

    /// Whether something came in time.
    fn wait(&self, deadline: Duration) -> io::Result<bool> {
        let end = Instant::now() + deadline;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
            let source = self.answers.get_ref().as_fd();
            match poll(&mut [PollFd::from_borrowed_fd(source, PollFlags::IN)], Some(&timeout)) {
                Err(rustix::io::Errno::INTR) => {}
                other => return Ok(other? > 0),
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
