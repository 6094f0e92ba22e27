//! What a hijacked thread of the appliance can still do (B1): what the service does, and nothing else.
//!
//! Once sockets are bound and the store is open, and before the first thread starts, Landlock leaves the process the
//! store's directory, its configuration's folder to read, and its local socket's name to remove; seccomp leaves it the
//! system calls of a service that has its sockets. There is no way to run a program, start a process, open a further
//! socket, map code, trace or signal others, or mount. Threads that start later are inside too; nothing leads out again.
//!
//! What this does not hold: whoever runs code in here has the keys of partitions that are in memory, and the files of the
//! store. Trusts: the kernel.

mod calls;
mod files;

use crate::fault::Fault;
use serde::Deserialize;
use std::path::PathBuf;

/// What happens where the kernel cannot do all of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Demand {
    /// Without a sandbox there is no service.
    Required,
    /// What can be had is used; the log, the metrics and `coloa status` say what is missing.
    #[default]
    BestEffort,
}

/// What the process keeps of the file system.
#[derive(Clone, Debug)]
pub struct Places {
    /// Read, written, made and removed in: the store.
    pub store: PathBuf,
    /// Read in: the configuration's folder.
    pub configuration: PathBuf,
    /// Removed in: the folder of the local socket.
    pub socket: PathBuf,
}

/// How much of it is in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Walls {
    /// Around the file system (Landlock).
    pub files: Wall,
    /// Around the system calls (seccomp).
    pub calls: Wall,
}

/// One of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wall {
    /// All that was asked for.
    Whole,
    /// This kernel knows a part of it.
    Partial,
    /// There is none.
    Absent,
}

impl Walls {
    /// Whether a hijacked thread is held: no file outside, no program. An older Landlock leaves truncation and devices
    /// open, which without an open file and without `ioctl` lead nowhere: it holds as well.
    pub fn hold(self) -> bool {
        self.files != Wall::Absent && self.calls == Wall::Whole
    }

    /// For machines: `whole`, `partial` or `absent`, of the weaker one.
    pub fn name(self) -> &'static str {
        match (self.files, self.calls) {
            (Wall::Whole, Wall::Whole) => "whole",
            (Wall::Absent, _) | (_, Wall::Absent) => "absent",
            _ => "partial",
        }
    }
}

/// Closes the sandbox around this process. To be called while it has one thread.
///
/// # Errors
/// [`Fault::Sandbox`] where it is required and cannot be had.
pub fn enter(places: &Places, demand: Demand) -> Result<Walls, Fault> {
    let files = files::restrict(places).unwrap_or_else(|why| missing("landlock", &why));
    let calls = match calls::restrict() {
        Ok(()) => Wall::Whole,
        Err(why) => missing("seccomp", &why),
    };
    let walls = Walls { files, calls };
    match (demand, walls.hold()) {
        (Demand::Required, false) => Err(Fault::Sandbox(walls)),
        (Demand::BestEffort, false) => {
            tracing::error!(landlock = ?files, seccomp = ?calls, "the sandbox is not whole: a hijacked thread is not held");
            Ok(walls)
        }
        (_, true) => {
            tracing::info!(landlock = ?files, seccomp = ?calls, "sandboxed");
            Ok(walls)
        }
    }
}

fn missing(wall: &str, why: &dyn std::fmt::Display) -> Wall {
    tracing::error!(%why, "{wall} is not in force");
    Wall::Absent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_landlock_holds_and_none_does_not() {
        let walls = |files, calls| Walls { files, calls };
        assert!(walls(Wall::Whole, Wall::Whole).hold() && walls(Wall::Partial, Wall::Whole).hold());
        assert!(!walls(Wall::Absent, Wall::Whole).hold() && !walls(Wall::Whole, Wall::Absent).hold());
        assert_eq!(walls(Wall::Partial, Wall::Whole).name(), "partial");
        assert_eq!(walls(Wall::Whole, Wall::Absent).name(), "absent");
    }
}
