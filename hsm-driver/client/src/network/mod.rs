//! An appliance or a board over TLS: a few connections of this process, made when they are needed.

mod connection;
mod crowd;
mod desk;
mod dns;
mod gather;
pub(crate) mod greeting;
mod intake;
mod names;
mod opening;
mod places;
pub mod probe;
mod slot;
mod socket;
mod ticket;
mod tls;

use crate::config;
use crate::{CallError, Descriptor, Pending, Transport};
use coloa_wire::ErrorCode;
use coloa_wire::hello::ServerHello;
use connection::Connection;
use crowd::Crowd;
use places::Places;
use std::sync::Arc;
use std::time::Instant;
use tls::Identity;
use zeroize::Zeroizing;

/// The connections to one address.
pub struct Network(Arc<Line>);

/// What calls under way hold on to.
struct Line {
    address: String,
    identity: Identity,
    crowd: Arc<Crowd>,
    places: Places,
}

impl Network {
    /// Reads certificates and key; connects later.
    ///
    /// # Errors
    /// [`CallError::File`].
    pub fn new(network: &config::Network) -> Result<Self, CallError> {
        Ok(Network(Arc::new(Line {
            address: network.address.clone(),
            identity: Identity::load(network)?,
            crowd: Arc::new(Crowd::new()),
            places: Places::new(network.connections),
        })))
    }
}

impl Line {
    fn open(&self, deadline: Instant) -> Result<Connection, CallError> {
        let fresh = Connection::open(&self.address, &self.identity, &self.crowd, deadline)?;
        self.places.learn(fresh.hello());
        tracing::info!(address = %self.address, software = %fresh.hello().software, "connected");
        Ok(fresh)
    }

    fn connection(&self, deadline: Instant) -> Result<Arc<Connection>, CallError> {
        self.places.choose(self.crowd.is_quick(), || self.open(deadline))
    }
}

/// Whether the other end takes so long a frame.
fn fits(frame: &[u8], connection: &Connection) -> Result<(), CallError> {
    match frame.len() > usize::try_from(connection.hello().max_frame).unwrap_or(usize::MAX) {
        true => Err(CallError::Engine(ErrorCode::DataTooLong)),
        false => Ok(()),
    }
}

impl Transport for Network {
    fn exchange(&self, frame: &mut [u8], deadline: Instant, reply: &mut Vec<u8>) -> Result<(), CallError> {
        let Network(line) = self;
        let _caller = line.crowd.enter();
        let connection = line.connection(deadline)?;
        fits(frame, &connection)?;
        let call = connection.begin(frame, true, std::mem::take(reply), deadline);
        *reply = call.and_then(|slot| connection.finish(&slot, deadline)).inspect_err(|e| {
            if e.is_lost() {
                line.places.forget_idle();
            }
        })?;
        Ok(())
    }

    fn begin(&self, frame: Zeroizing<Vec<u8>>, deadline: Instant) -> Result<Box<dyn Pending>, CallError> {
        Ok(Box::new(ticket::Call::begin(self.0.clone(), frame, deadline)?))
    }

    fn hello(&self, deadline: Instant) -> Result<ServerHello, CallError> {
        Ok(self.0.connection(deadline)?.hello().clone())
    }

    fn descriptors(&self) -> Vec<Descriptor> {
        self.0.places.descriptors()
    }
}
