//! Accepting peers: each handshake is a task with a [`Place`](super::places::Place), of which there is a bounded number (R34).

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};

use super::Control;
use super::channel::Channel;
use super::message::Message;
use super::negotiate::{STEP, admit, enter, establish, greet, greeting};
use super::places::{MAX_HANDSHAKES, Place, Places};
use super::session;
use crate::trouble::{Kind, Trouble};

/// Connections that the kernel may hold for us: as many as there are places. It takes the least of this and
/// `net.core.somaxconn`.
const BACKLOG: i32 = MAX_HANDSHAKES as i32;
/// The pause after a failure to accept: most of them are a lack of file descriptors, which time cures.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Failures of strangers that are told in the log within [`TELLING`].
const MAX_TOLD: u32 = 50;
const TELLING: Duration = Duration::from_secs(10);

/// The listening socket, as tasks use it.
pub fn listener(listener: std::net::TcpListener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    // Once more, with the length of its queue: the standard library chooses 128.
    rustix::net::listen(&listener, BACKLOG)?;
    TcpListener::from_std(listener)
}

/// Accepts until the daemon ends.
pub async fn run(control: Arc<Control>, listener: TcpListener) {
    let (places, complaints) = (Places::default(), Arc::new(Complaints::default()));
    while !control.is_stopping() {
        match listener.accept().await {
            Ok((tcp, from)) => admit_one(&control, (tcp, from), &places, &complaints),
            Err(why) => {
                tracing::warn!(%why, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn admit_one(
    control: &Arc<Control>,
    (tcp, from): (TcpStream, SocketAddr),
    places: &Places,
    complaints: &Arc<Complaints>,
) {
    let known = control.knows(from.ip());
    let Some(place) = places.take(from.ip(), known) else {
        tracing::debug!(%from, "too many handshakes at once: a connection was refused");
        return;
    };
    let (control, complaints) = (control.clone(), complaints.clone());
    tokio::spawn(async move {
        if let Err(trouble) = serve(&control, tcp, (place, known)).await {
            match complaints.may_be_told(Instant::now()) {
                Some(0) => tracing::warn!(%from, %trouble, "no link"),
                Some(untold) => tracing::warn!(%from, %trouble, untold, "no link, nor for others before"),
                None => tracing::debug!(%from, %trouble, "no link"),
            }
        }
    });
}

/// Strangers do not write our log: of their failures a bounded number is told in a while, the rest counted.
#[derive(Default)]
struct Complaints(Mutex<Told>);

#[derive(Default)]
struct Told {
    since: Option<Instant>,
    told: u32,
    untold: u64,
}

impl Complaints {
    /// Whether this one is told, and how many before it were not.
    fn may_be_told(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(|e| e.into_inner());
        if state.since.is_none_or(|since| now.duration_since(since) >= TELLING) {
            (state.since, state.told) = (Some(now), 0);
        }
        if state.told >= MAX_TOLD {
            state.untold = state.untold.saturating_add(1);
            return None;
        }
        state.told = state.told.saturating_add(1);
        Some(std::mem::take(&mut state.untold))
    }
}

/// From a connection to the end of its session.
async fn serve(control: &Arc<Control>, tcp: TcpStream, (mut place, known): (Place, bool)) -> Result<(), Trouble> {
    let shaken = Channel::accept(tcp, &control.tls, &control.workers, (known, STEP));
    let mut channel = tokio::select! {
        channel = shaken => channel?,
        () = place.lost() => return Err(gave_way()),
    };
    let admitted = admit(control, &channel)?;
    if !place.prove() {
        return Err(gave_way());
    }
    let found = control.peer(&admitted.identity());
    let peer = found.ok_or_else(|| Trouble::new(Kind::PeerRefused, "the policy was just changed"))?;
    let hello = greeting(&mut channel).await?;
    let turn = if control.admission.own() > peer.identity {
        // Ours is the larger identity: a negotiation of our own goes first.
        match peer.turn.try_lock() {
            Ok(turn) => turn,
            Err(_) => return Ok(channel.send(Message::Busy, STEP).await?),
        }
    } else {
        peer.turn.lock().await
    };
    greet(control, &peer, &mut channel).await?;
    let epoch = establish(control, &peer, &mut channel, hello).await?;
    let orders = enter(control, &peer, &channel)?;
    drop((turn, place));
    tracing::info!(peer = peer.name, epoch = epoch.0, "connected, encrypting (accepted)");
    session::keep(control, &peer, channel, (orders, hello.serial)).await;
    Ok(())
}

fn gave_way() -> Trouble {
    Trouble::new(Kind::BrokenOff, "too many handshakes at once: the oldest one gave way")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_writes_a_bounded_log_and_what_was_left_out_is_counted() {
        let (complaints, start) = (Complaints::default(), Instant::now());
        let told = (0..1000).filter(|_| complaints.may_be_told(start) == Some(0)).count();
        assert_eq!(told, MAX_TOLD as usize);
        assert_eq!(complaints.may_be_told(start + TELLING), Some(950));
        assert_eq!(complaints.may_be_told(start + TELLING), Some(0));
    }
}
