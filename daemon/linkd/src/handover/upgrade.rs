//! `coloa-linkd upgrade`: this program takes over from the one that runs, and goes on in the background.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use super::program_of;
use super::taking::Predecessor;
use crate::config::Config;
use crate::fault::{Fault, Lang};

/// What a successor prints when it is at work.
pub const READY: &str = "ready";

/// Replaces the daemon that runs with this configuration, or has it look at its files where it is this very program.
pub fn run(path: &Path, lang: Lang) -> Result<(), Fault> {
    let config = Config::load(path)?;
    // It talks with one at a time: with the successor next.
    let greeting = Predecessor::find(&config)?.into_greeting();
    let failed = |why: String| Fault::Handover { why };
    if greeting.program.is_some() && greeting.program == program_of("self") {
        let pid = i32::try_from(greeting.pid).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| failed("it does not say which process it is".into()))?;
        kill_process(pid, Signal::HUP).map_err(|e| failed(e.to_string()))?;
        let text = match lang {
            Lang::En => "the daemon runs this very program: it looks at its files again",
            Lang::Vi => "tiến trình đang chạy chính chương trình này: nó đọc lại các tệp",
        };
        println!("{text}");
        return Ok(());
    }
    let began = Instant::now();
    let own = std::env::current_exe().map_err(|e| failed(e.to_string()))?;
    let mut command = Command::new(own);
    command.args(["run", "--take-over", "--config"]).arg(path).stdin(Stdio::null()).stdout(Stdio::piped());
    if let (None, Some(credentials)) = (std::env::var_os("CREDENTIALS_DIRECTORY"), &greeting.credentials) {
        command.env("CREDENTIALS_DIRECTORY", credentials);
    }
    let predecessor = greeting.pid;
    // A group of its own: what ends this command at a terminal does not end the daemon.
    let mut child = command.process_group(0).spawn().map_err(|e| failed(e.to_string()))?;
    let mut line = String::new();
    if let Some(said) = child.stdout.take() {
        let _ = BufReader::new(said).read_line(&mut line);
    }
    if line.trim_end() != READY {
        let status = child.wait().map(|status| status.to_string()).unwrap_or_default();
        return Err(failed(format!("the successor did not start ({status}); its own words are above")));
    }
    let (pid, milliseconds) = (child.id(), began.elapsed().as_millis());
    let text = match lang {
        Lang::En => format!("process {pid} has taken over from {predecessor} ({milliseconds} ms)"),
        Lang::Vi => format!("tiến trình {pid} đã tiếp quản từ {predecessor} ({milliseconds} ms)"),
    };
    println!("{text}");
    Ok(())
}
