//! Who reads a device: an administrator on its local socket, or an auditor from afar, over TLS (R1). Both give the same commands.

use crate::fault::Fault;
use crate::socket::AdminSocket;
use coloa_client::{Client, Config};
use coloa_wire::Command;

/// A way on which a device can be asked.
pub trait Reads {
    /// The reply and its bulk.
    fn read<C: Command>(&mut self, request: &C) -> Result<(C::Reply, Vec<u8>), Fault>;
}

impl Reads for AdminSocket {
    fn read<C: Command>(&mut self, request: &C) -> Result<(C::Reply, Vec<u8>), Fault> {
        let reply = self.call(None, request)?;
        Ok((reply, self.bulk().to_vec()))
    }
}

/// An auditor's channel.
pub struct Auditor(Client);

impl Auditor {
    /// To the first place of the configuration that `COLOA_CONF` names, as `coloa auditor enrol` wrote it.
    pub fn open() -> Result<Self, Fault> {
        let config = Config::load(true)?;
        let target = config.targets.first().ok_or_else(|| Fault::Unknown("place in the configuration".into()))?;
        Ok(Auditor(Client::open(target)?))
    }
}

impl Reads for Auditor {
    fn read<C: Command>(&mut self, request: &C) -> Result<(C::Reply, Vec<u8>), Fault> {
        let (reply, bulk) = self.0.call(None, None, request, &[])?;
        Ok((reply, bulk.to_vec()))
    }
}
