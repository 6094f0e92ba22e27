//! Network namespaces: red and black are two of them, and only this process is in both (ARCHITECTURE decision 10).
//!
//! A namespace belongs to a thread. Work in another one is done on a thread of its own, which never comes back: so no
//! thread of this process is ever in the wrong namespace by mistake. Threads started there stay there.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::fault::Fault;

/// Where `ip netns` keeps its namespaces.
const NAMED: &str = "/run/netns";
/// The namespace of the calling thread.
const OWN: &str = "/proc/thread-self/ns/net";

/// An open network namespace: it exists as long as this value.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    file: File,
}

impl Namespace {
    /// Opens the namespace with this name or absolute path; without a name, the one of the calling thread.
    pub fn open(name: Option<&str>) -> Result<Self, Fault> {
        let path = match name {
            None => PathBuf::from(OWN),
            Some(path) if path.starts_with('/') => path.into(),
            Some(name) => Path::new(NAMED).join(name),
        };
        let shown = name.unwrap_or("(own)").to_owned();
        match File::open(&path) {
            Ok(file) => Ok(Self { name: shown, file }),
            Err(e) => Err(Fault::Namespace { name: shown, why: format!("{}: {e}", path.display()) }),
        }
    }

    /// Whether both are the same namespace, whatever their names.
    pub fn is(&self, other: &Namespace) -> Result<bool, Fault> {
        let key = |n: &Namespace| n.file.metadata().map(|m| (m.dev(), m.ino())).map_err(|e| n.fault(e));
        Ok(key(self)? == key(other)?)
    }

    /// Runs `work` on a thread inside and waits for it.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> Result<T, Fault> + Send) -> Result<T, Fault> {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                self.enter()?;
                work()
            });
            inside.join().unwrap_or_else(|_| Err(self.fault("the work inside it failed")))
        })
    }

    /// Moves the calling thread inside, for good.
    pub fn enter(&self) -> Result<(), Fault> {
        move_into_link_name_space(self.file.as_fd(), Some(LinkNameSpaceType::Network)).map_err(|e| self.fault(e))
    }

    /// The name, for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn fault(&self, why: impl std::fmt::Display) -> Fault {
        Fault::Namespace { name: self.name.clone(), why: why.to_string() }
    }
}
