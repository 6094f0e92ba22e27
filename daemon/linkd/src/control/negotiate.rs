//! From a TLS connection to keys in the data plane: hello, install, ready, activate. The same for both ends, so that
//! neither sends on an epoch before the other receives on it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use coloa_link::{Epoch, Role};
use rustls_pki_types::UnixTime;
use tokio::task::spawn_blocking;

use super::Control;
use super::channel::Channel;
use super::message::Message;
use super::peer::{Entered, Evidence, Peer};
use crate::admission::{self, Admitted, Shown};
use crate::trouble::{Kind, Trouble};

/// How long one step of a negotiation may take.
pub const STEP: Duration = Duration::from_secs(10);

/// What the other end said in its hello.
#[derive(Clone, Copy, Debug)]
pub struct Greeting {
    newest: u64,
    port: u16,
    /// The serial of its policy.
    pub serial: u64,
}

/// Judges the peer of a connection by its chain, now. What the handshake verified is not verified again.
pub fn admit(control: &Control, channel: &Channel) -> Result<Admitted, Trouble> {
    let judged = control.admission.admit(&channel.peer_chain(), shown(channel.role()), admission::now());
    judged.map_err(Trouble::from)
}

/// The peer's role is the opposite of ours.
fn shown(ours: Role) -> Shown {
    match ours {
        Role::Client => Shown::AsServer,
        Role::Server => Shown::AsClient,
    }
}

/// Says hello to this peer.
pub async fn greet(control: &Control, peer: &Peer, channel: &mut Channel) -> Result<(), Trouble> {
    let serial = control.held().serial;
    let newest = peer.state().newest;
    let hello = Message::Hello { newest, serial, port: control.config.black.listen.port() };
    channel.send(hello, STEP).await.map_err(Trouble::from)
}

/// Waits for the other end's hello.
pub async fn greeting(channel: &mut Channel) -> Result<Greeting, Trouble> {
    match channel.receive(STEP).await? {
        Message::Hello { newest, serial, port } => Ok(Greeting { newest, port, serial }),
        Message::Busy => Err(Trouble::new(Kind::Busy, "both ends dialled at once")),
        other => Err(broken(format!("the peer began with {other:?} instead of a hello"))),
    }
}

/// Installs the next epoch and switches to it once the peer is ready.
pub async fn establish(
    control: &Arc<Control>,
    peer: &Arc<Peer>,
    channel: &mut Channel,
    hello: Greeting,
) -> Result<Epoch, Trouble> {
    let epoch = next_epoch(peer, hello)?;
    let keys = channel.keys(epoch).map_err(|e| broken(e.to_string()))?;
    let to = udp_endpoint(control, peer, channel, hello)?;
    // Lapsed from the first: trust may have changed since the handshake, and the guard looks at it in its next round.
    let lapsed = UnixTime::since_unix_epoch(Duration::ZERO);
    let (chain, shown) = (channel.peer_chain(), shown(channel.role()));
    peer.keep_evidence(Evidence { chain, shown, until: lapsed, expires: None });
    let (installing, number) = (control.clone(), peer.number);
    // The data plane's answer is waited for on a thread: it takes microseconds, or its whole deadline.
    let installed = spawn_blocking(move || installing.plane.install(number, keys, to)).await;
    installed
        .map_err(|e| broken(e.to_string()))?
        .map_err(|e| broken(format!("the data plane did not take the keys: {e:?}")))?;
    if peer.was_cut() {
        control.plane.block(peer.number);
        return Err(cut_off());
    }
    channel.send(Message::Ready { epoch: epoch.0 }, STEP).await?;
    match channel.receive(STEP).await? {
        Message::Ready { epoch: theirs } if theirs == epoch.0 => {}
        other => return Err(broken(format!("the peer said {other:?} instead of being ready"))),
    }
    control.plane.activate(peer.number, epoch);
    Ok(epoch)
}

/// One above all that either end has ever used; taken before it is tried, so never used twice.
fn next_epoch(peer: &Peer, hello: Greeting) -> Result<Epoch, Trouble> {
    let mut state = peer.state();
    let newest = state.newest.max(hello.newest);
    let next = newest.checked_add(1).ok_or_else(|| broken("the epochs are used up"))?;
    state.newest = next;
    Ok(Epoch(next))
}

/// Where the peer receives ESP: as configured, or where it dialled from, with the port it named.
fn udp_endpoint(control: &Control, peer: &Peer, channel: &Channel, hello: Greeting) -> Result<SocketAddr, Trouble> {
    match control.endpoint(&peer.name) {
        Some(endpoint) => Ok(endpoint),
        None => Ok(SocketAddr::new(channel.peer_address()?.ip(), hello.port)),
    }
}

/// The session of a peer whose keys are in use.
pub fn enter(control: &Control, peer: &Peer, channel: &Channel) -> Result<Entered, Trouble> {
    let entered = peer.enter_session().ok_or_else(cut_off)?;
    control.remember(peer.number, channel.peer_address()?.ip());
    Ok(entered)
}

fn cut_off() -> Trouble {
    Trouble::new(Kind::PeerRefused, "it was cut off while an epoch was negotiated")
}

fn broken(detail: impl Into<String>) -> Trouble {
    Trouble::new(Kind::BrokenOff, detail)
}
