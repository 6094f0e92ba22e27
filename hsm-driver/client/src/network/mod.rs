//! An appliance or a board over TLS: a few connections of this process, made when they are needed.

mod connection;
pub(crate) mod greeting;
pub mod probe;
mod socket;
mod spin;
mod tls;

use crate::config;
use crate::{CallError, Descriptor, Transport};
use coloa_wire::ErrorCode;
use coloa_wire::hello::ServerHello;
use connection::Connection;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};
use tls::Identity;

/// The connections to one address.
pub struct Network {
    address: String,
    identity: Identity,
    places: Vec<Mutex<Option<Arc<Connection>>>>,
}

impl Network {
    /// Reads certificates and key; connects later.
    ///
    /// # Errors
    /// [`CallError::File`].
    pub fn new(network: &config::Network) -> Result<Self, CallError> {
        Ok(Network {
            address: network.address.clone(),
            identity: Identity::load(network)?,
            places: (0..network.connections.max(1)).map(|_| Mutex::new(None)).collect(),
        })
    }

    /// An idle connection, else a new one while there is a place for it, else the one with the fewest calls under way.
    fn connection(&self, deadline: Instant) -> Result<Arc<Connection>, CallError> {
        let mut best: Option<Arc<Connection>> = None;
        let mut free = None;
        for place in &self.places {
            let mut held = match place.try_lock() {
                Ok(held) => held,
                Err(TryLockError::Poisoned(held)) => held.into_inner(),
                // Somebody is connecting there.
                Err(TryLockError::WouldBlock) => continue,
            };
            match held.as_ref().filter(|c| !c.is_broken()).cloned() {
                Some(idle) if idle.in_flight() == 0 => return Ok(idle),
                Some(busy) => best = fewest(best, busy),
                None => {
                    *held = None;
                    free = free.or(Some(place));
                }
            }
        }
        match (free, best, self.places.first()) {
            (Some(place), _, _) => self.fill(lock(place), deadline),
            (None, Some(busy), _) => Ok(busy),
            // All are being connected: wait for the first.
            (None, None, Some(place)) => self.fill(lock(place), deadline),
            (None, None, None) => Err(CallError::Engine(ErrorCode::Internal)),
        }
    }

    fn fill(
        &self,
        mut held: MutexGuard<'_, Option<Arc<Connection>>>,
        deadline: Instant,
    ) -> Result<Arc<Connection>, CallError> {
        if let Some(live) = held.as_ref().filter(|c| !c.is_broken()) {
            return Ok(live.clone());
        }
        let fresh = Arc::new(Connection::open(&self.address, &self.identity, deadline)?);
        tracing::info!(address = %self.address, software = %fresh.hello().software, "connected");
        *held = Some(fresh.clone());
        Ok(fresh)
    }

    /// A restarted server has closed all of them: what is idle and old is not worth another try.
    fn forget_idle(&self) {
        for place in &self.places {
            if let Ok(mut held) = place.try_lock() {
                held.take_if(|c| c.is_broken() || c.in_flight() == 0);
            }
        }
    }
}

impl Transport for Network {
    fn exchange(&self, frame: &mut [u8], within: Duration, reply: &mut Vec<u8>) -> Result<(), CallError> {
        let deadline = Instant::now() + within;
        let connection = self.connection(deadline)?;
        if frame.len() > usize::try_from(connection.hello().max_frame).unwrap_or(usize::MAX) {
            return Err(CallError::Engine(ErrorCode::DataTooLong));
        }
        connection.exchange(frame, deadline, reply).inspect_err(|e| {
            if e.is_lost() {
                self.forget_idle();
            }
        })
    }

    fn hello(&self, within: Duration) -> Result<ServerHello, CallError> {
        Ok(self.connection(Instant::now() + within)?.hello().clone())
    }

    fn descriptors(&self) -> Vec<Descriptor> {
        self.places.iter().filter_map(|p| p.try_lock().ok()?.as_ref().map(|c| c.descriptor())).collect()
    }
}

fn lock<T>(place: &Mutex<T>) -> MutexGuard<'_, T> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

fn fewest(a: Option<Arc<Connection>>, b: Arc<Connection>) -> Option<Arc<Connection>> {
    match a {
        Some(a) if a.in_flight() <= b.in_flight() => Some(a),
        _ => Some(b),
    }
}
