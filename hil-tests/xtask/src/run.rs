//! Other programs: how they are started, listened to and blamed.

use anyhow::{Context, Result, bail};
use coloa_xtask::progress::Task;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// Lines of a failed program's output that are shown.
const TAIL: usize = 60;

/// The project's root: two folders above this crate.
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

/// Where cargo puts what it builds: two folders above this program, wherever `CARGO_TARGET_DIR` or a configuration put it.
pub fn target() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    own.ancestors().nth(2).map(Path::to_owned).context("this program does not lie where cargo builds")
}

/// A program, without the library path that `cargo run` adds for its child.
pub fn program(name: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut c = Command::new(name);
    c.env_remove("LD_LIBRARY_PATH").current_dir(root());
    c
}

/// Cargo of the pinned toolchain, in the project's root.
pub fn cargo(args: &[&str]) -> Command {
    let mut c = program("cargo");
    c.args(args);
    c
}

/// Cargo of the toolchain that builds for Cortex-M (`board/setup-thumb.sh` makes it).
pub fn cargo_thumb(args: &[&str]) -> Command {
    let mut c = program("cargo");
    c.arg("+thumb").args(args).env_remove("RUSTC").env_remove("CARGO");
    c
}

/// Runs a program whose output matters only when it fails; the last line of it is shown as it goes.
pub fn quiet(task: Task, command: &mut Command) -> Result<()> {
    let mut tail = VecDeque::with_capacity(TAIL);
    let ended = each_line(command, |line| {
        task.note(line);
        if tail.len() == TAIL {
            tail.pop_front();
        }
        tail.push_back(line.to_owned());
    });
    match ended {
        Ok(status) if status.success() => {
            task.done();
            Ok(())
        }
        Ok(status) => {
            task.fail();
            tail.iter().for_each(|line| eprintln!("    {line}"));
            bail!("`{}` ended with {status}; its last lines are above", shown(command))
        }
        Err(e) => {
            task.fail();
            Err(e)
        }
    }
}

/// Runs a program whose lines somebody else looks at; whether it ended well is theirs to say.
pub fn listened(task: Task, command: &mut Command, mut on_line: impl FnMut(&str)) -> Result<()> {
    let status = each_line(command, |line| {
        task.note(line);
        on_line(line);
    })?;
    if status.success() {
        task.done()
    } else {
        task.fail()
    }
    Ok(())
}

/// Runs a program, prints its output as it comes and hands each line to `on_line`.
pub fn streamed(command: &mut Command, mut on_line: impl FnMut(&str)) -> Result<ExitStatus> {
    println!("$ {}", shown(command));
    if coloa_xtask::progress::on_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    each_line(command, |line| {
        println!("{line}");
        on_line(line);
    })
}

/// Does this program run and end well? Its output is thrown away.
pub fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

/// The command as one would type it.
pub fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|w| w.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// The first executable file of this name on the PATH.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// stdout and stderr go through one pipe, so that their lines stay in order.
fn each_line(command: &mut Command, mut on_line: impl FnMut(&str)) -> Result<ExitStatus> {
    let (reader, writer) = std::io::pipe()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().with_context(|| cannot_start(command))?;
    // our copies of the writing end must go, or the pipe never ends
    command.stdout(Stdio::null()).stderr(Stdio::null());
    for line in BufReader::new(reader).split(b'\n') {
        on_line(String::from_utf8_lossy(&line?).trim_end());
    }
    Ok(child.wait()?)
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start `{}`; `cargo xtask setup` installs what the project needs", shown(command))
}
