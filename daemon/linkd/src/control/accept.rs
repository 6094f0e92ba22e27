//! Accepting peers: a bounded number of handshakes at once, each on a thread of its own with a deadline (R34).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::channel::Channel;
use super::message::Message;
use super::negotiate::{STEP, admit, enter, establish, greet, greeting};
use super::peer::Peer;
use super::{Control, spawn};
use crate::trouble::{Kind, Trouble};

/// Handshakes at once: a hub's 250 sites may all come back together after a power cut.
const MAX_HANDSHAKES: usize = 512;
/// Handshakes at once from one address, so that no stranger takes all places: TCP has proved the address. An IPv6 stranger
/// has a /64 at least (RFC 6177), which counts as one.
const MAX_FROM_ONE: usize = 8;

/// Accepts until the daemon ends.
pub fn run(control: &Arc<Control>, listener: &TcpListener) {
    let running = Arc::default();
    for connection in listener.incoming() {
        if control.is_stopping() {
            return;
        }
        match connection {
            Ok(tcp) => admit_one(control, tcp, &running),
            Err(why) => {
                tracing::warn!(%why, "a connection could not be accepted");
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

fn admit_one(control: &Arc<Control>, tcp: TcpStream, running: &Arc<Running>) {
    let Ok(from) = tcp.peer_addr() else { return };
    let Some(place) = Place::take(running, from.ip()) else {
        tracing::debug!(%from, "too many handshakes at once: a connection was refused");
        return;
    };
    let control = control.clone();
    let started = spawn("session", move || {
        if let Err(trouble) = serve(&control, tcp, place) {
            tracing::warn!(%from, %trouble, "no link");
        }
    });
    if let Err(why) = started {
        tracing::error!(%why, "no thread for a connection");
    }
}

/// How many handshakes run, by address.
type Running = Mutex<HashMap<IpAddr, usize>>;

/// One of the handshakes that may run at once; given back when dropped.
struct Place {
    running: Arc<Running>,
    from: IpAddr,
}

impl Place {
    fn take(running: &Arc<Running>, from: IpAddr) -> Option<Self> {
        let from = network(from);
        let mut counts = running.lock().unwrap_or_else(|e| e.into_inner());
        let all: usize = counts.values().sum();
        let mine = counts.entry(from).or_default();
        if all >= MAX_HANDSHAKES || *mine >= MAX_FROM_ONE {
            return None;
        }
        *mine = mine.saturating_add(1);
        Some(Self { running: running.clone(), from })
    }
}

/// Whose address it is.
fn network(from: IpAddr) -> IpAddr {
    match from {
        IpAddr::V4(_) => from,
        IpAddr::V6(host) => Ipv6Addr::from_bits(host.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.running.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(mine) = counts.get_mut(&self.from) {
            *mine = mine.saturating_sub(1);
        }
        counts.retain(|_, count| *count > 0);
    }
}

fn serve(control: &Arc<Control>, tcp: TcpStream, place: Place) -> Result<(), Trouble> {
    let mut channel = Channel::accept(tcp, &control.tls, STEP)?;
    let admitted = admit(control, &channel)?;
    let peer = find(control, &admitted)?;
    let hello = greeting(&mut channel)?;
    let turn = if control.admission.own() > peer.identity {
        // Ours is the larger identity: a negotiation of our own goes first.
        match peer.turn.try_lock() {
            Ok(turn) => turn,
            Err(_) => return Ok(channel.send(Message::Busy, STEP)?),
        }
    } else {
        peer.turn.lock().unwrap_or_else(|e| e.into_inner())
    };
    greet(control, &peer, &mut channel)?;
    let epoch = establish(control, &peer, &mut channel, hello)?;
    let session = enter(&peer, &channel)?;
    drop((turn, place));
    tracing::info!(peer = peer.name, epoch = epoch.0, "connected, encrypting (accepted)");
    control.keep(&peer, channel, session);
    Ok(())
}

fn find(control: &Control, admitted: &crate::admission::Admitted) -> Result<Arc<Peer>, Trouble> {
    let peers = control.peers();
    let found = peers.iter().find(|p| p.identity == admitted.identity()).cloned();
    found.ok_or_else(|| Trouble::new(Kind::PeerRefused, "the policy was just changed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_all_places() {
        let running: Arc<Running> = Arc::default();
        let [stranger, peer]: [IpAddr; 2] = ["192.0.2.9", "192.0.2.1"].map(|a| a.parse().expect("address"));
        let mut held: Vec<Place> = (0..MAX_FROM_ONE).filter_map(|_| Place::take(&running, stranger)).collect();
        assert_eq!(held.len(), MAX_FROM_ONE);
        assert!(Place::take(&running, stranger).is_none());
        assert!(Place::take(&running, peer).is_some());
        held.pop();
        assert!(Place::take(&running, stranger).is_some(), "a place given back is free");
    }

    #[test]
    fn a_network_of_ipv6_addresses_is_one_stranger() {
        let running: Arc<Running> = Arc::default();
        let from = |host: usize| format!("2001:db8::{host:x}").parse().expect("address");
        let held: Vec<Place> = (0..=MAX_FROM_ONE).filter_map(|host| Place::take(&running, from(host))).collect();
        assert_eq!(held.len(), MAX_FROM_ONE);
        assert!(Place::take(&running, "2001:db8:0:1::1".parse().expect("address")).is_some());
    }
}
