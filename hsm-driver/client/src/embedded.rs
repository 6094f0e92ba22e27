//! The engine in this process: no TLS, no server; for development.

use crate::network::greeting;
use crate::{CallError, Descriptor, Transport};
use coloa_wire::command::PartitionMode;
use coloa_wire::hello::ServerHello;
use std::path::Path;
use std::time::Instant;

/// One directory's engine.
pub(crate) struct Embedded {
    engine: coloa_host::Embedded,
    hello: ServerHello,
}

impl Embedded {
    pub(crate) fn open(directory: &Path, mode_if_new: PartitionMode) -> Result<Self, CallError> {
        let place = || directory.display().to_string();
        let engine = coloa_host::Embedded::open(directory, mode_if_new)
            .map_err(|e| CallError::Embedded(place(), e.to_string()))?;
        let mut reply = Vec::new();
        engine.exchange(&greeting::request(), &mut reply);
        let hello = greeting::accept(&reply).map_err(|code| CallError::Protocol(place(), code))?;
        Ok(Embedded { engine, hello })
    }
}

impl Transport for Embedded {
    fn exchange(&self, frame: &mut [u8], _: Instant, reply: &mut Vec<u8>) -> Result<(), CallError> {
        reply.clear();
        self.engine.exchange(frame, reply);
        Ok(())
    }

    fn hello(&self, _: Instant) -> Result<ServerHello, CallError> {
        Ok(self.hello.clone())
    }

    fn loses_calls(&self) -> bool {
        false
    }

    fn descriptors(&self) -> Vec<Descriptor> {
        Vec::new()
    }
}
