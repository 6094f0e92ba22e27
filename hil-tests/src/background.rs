//! Programs that run on their own: started detached, remembered in a file, ended exactly.

use anyhow::{Context, Result, bail};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a program may take to end after SIGTERM before it is killed.
const GRACE: Duration = Duration::from_secs(10);

/// A program in the background. It is not ended when this is dropped: [`Background::stop`] and [`Background::kill`] do that.
#[derive(Clone, Debug)]
pub struct Background {
    pid: u32,
    /// The kernel's start time of the process: together with the pid it names one process for ever.
    born: String,
    record: PathBuf,
}

impl Background {
    /// Starts `command` in a session of its own; output goes to `DIR/NAME.log`, the process is recorded in `DIR/NAME.pid`.
    pub fn start(dir: &Path, name: &str, command: &Command) -> Result<Self> {
        let log = File::create(dir.join(format!("{name}.log")))?;
        // setsid replaces itself by the program when it leads no process group, so the pid is the program's
        let mut detached = Command::new("setsid");
        detached.arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => detached.env(key, value),
                None => detached.env_remove(key),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            detached.current_dir(folder);
        }
        detached.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = detached.spawn().with_context(|| format!("cannot start {:?}", command.get_program()))?;
        let pid = child.id();
        reap(child);
        let born = birth(pid).with_context(|| format!("{name} ended at once; see {}", log_of(dir, name).display()))?;
        let record = dir.join(format!("{name}.pid"));
        std::fs::write(&record, format!("{pid} {born}\n"))?;
        Ok(Self { pid, born, record })
    }

    /// What was recorded in `DIR/NAME.pid`.
    pub fn recorded(record: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(record).with_context(|| format!("cannot read {}", record.display()))?;
        let mut words = text.split_whitespace();
        let pid = words.next().and_then(|w| w.parse().ok()).context("no pid in the record")?;
        let born = words.next().context("no start time in the record")?.to_owned();
        Ok(Self { pid, born, record: record.to_owned() })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Does that very process still run?
    pub fn runs(&self) -> bool {
        birth(self.pid).is_some_and(|born| born == self.born)
    }

    /// Ends it as a service manager does: SIGTERM, and SIGKILL if that is not enough.
    pub fn stop(&self) -> Result<()> {
        self.signal("TERM")?;
        if !self.ended_within(GRACE) {
            self.kill()?;
        }
        std::fs::remove_file(&self.record).ok();
        Ok(())
    }

    /// Ends it as a power cut does: SIGKILL.
    pub fn kill(&self) -> Result<()> {
        self.signal("KILL")?;
        if !self.ended_within(GRACE) {
            bail!("process {} does not die", self.pid);
        }
        Ok(())
    }

    fn signal(&self, name: &str) -> Result<()> {
        if self.runs() {
            Command::new("kill").arg(format!("-{name}")).arg(self.pid.to_string()).stderr(Stdio::null()).status()?;
        }
        Ok(())
    }

    fn ended_within(&self, limit: Duration) -> bool {
        until(limit, || !self.runs())
    }
}

/// Waits until `holds` says yes; `false` when `limit` is over first.
pub fn until(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let since = Instant::now();
    while !holds() {
        if since.elapsed() > limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

/// Ends everything recorded in a folder.
pub fn stop_all(dir: &Path) -> Result<usize> {
    let mut stopped = 0;
    let Ok(files) = std::fs::read_dir(dir) else { return Ok(0) };
    for file in files.flatten().map(|f| f.path()).filter(|p| p.extension().is_some_and(|e| e == "pid")) {
        let process = Background::recorded(&file)?;
        stopped += usize::from(process.runs());
        process.stop()?;
    }
    Ok(stopped)
}

fn log_of(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.log"))
}

/// A child that nobody waits for would stay a zombie, and a zombie looks alive.
fn reap(mut child: std::process::Child) {
    std::thread::spawn(move || child.wait());
}

/// Field 22 of /proc/PID/stat (proc(5)); `None` for a process that is gone. A zombie counts as gone when none of its
/// threads is left: until then they hold its files and locks.
fn birth(pid: u32) -> Option<String> {
    let (state, born) = state_and_birth(&format!("/proc/{pid}/stat"))?;
    let ended = |state: &str| state == "Z" || state == "X";
    if !ended(&state) {
        return Some(born);
    }
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten();
    let mut states = threads.filter_map(|t| state_and_birth(t.path().join("stat").to_str()?));
    states.any(|(state, _)| !ended(&state)).then_some(born)
}

fn state_and_birth(stat: &str) -> Option<(String, String)> {
    let text = std::fs::read_to_string(stat).ok()?;
    let (_, after_name) = text.rsplit_once(") ")?;
    let mut fields = after_name.split(' ');
    Some((fields.next()?.to_owned(), fields.nth(18)?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_recorded_found_again_and_ended() {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("sleep");
        Background::start(dir.path(), "sleeper", command.arg("600")).unwrap();
        let found = Background::recorded(&dir.path().join("sleeper.pid")).unwrap();
        assert!(found.runs());
        assert_eq!(stop_all(dir.path()).unwrap(), 1);
        assert!(!found.runs());
        assert_eq!(stop_all(dir.path()).unwrap(), 0);
    }

    #[test]
    fn another_process_with_the_same_pid_is_not_ours() {
        let dir = tempfile::tempdir().unwrap();
        let record = dir.path().join("stranger.pid");
        std::fs::write(&record, format!("{} 1\n", std::process::id())).unwrap();
        let stranger = Background::recorded(&record).unwrap();
        assert!(!stranger.runs());
        stranger.stop().unwrap();
    }
}
