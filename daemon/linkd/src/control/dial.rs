//! Dialling one peer whenever an epoch is due, with a pause that grows while it does not succeed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::channel::Channel;
use super::negotiate::{STEP, admit, enter, establish, greet, greeting};
use super::peer::{Due, Peer};
use super::{Control, session};
use crate::trouble::{Kind, Trouble};

/// The first pause after a failure; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// A hub has its links back within 10 s of a power cut, so a site tries more often than that.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// The smaller identity lets the larger one dial first.
const GRACE: Duration = Duration::from_secs(1);

/// Dials the peer until the configuration no longer says where it is, or the daemon ends.
pub async fn run(control: Arc<Control>, peer: Arc<Peer>) {
    let grace = if control.admission.own() > peer.identity { Duration::ZERO } else { GRACE };
    let mut pause = grace;
    while let Due::Dial(endpoint) = peer.wait_until_due(pause).await {
        // A task of its own, whose panic is the end of this attempt and of no other.
        let attempt = tokio::spawn(dial(control.clone(), peer.clone(), endpoint));
        let dialled = attempt.await.unwrap_or_else(|e| Err(Trouble::new(Kind::BrokenOff, e.to_string())));
        pause = match dialled {
            Ok(()) => FIRST_PAUSE,
            Err(trouble) if trouble.kind == Kind::Busy => GRACE,
            Err(trouble) => {
                report(&peer, trouble);
                pause.saturating_mul(2).clamp(FIRST_PAUSE, LONGEST_PAUSE)
            }
        };
    }
}

fn report(peer: &Peer, trouble: Trouble) {
    let mut state = peer.state();
    if state.trouble.as_ref() != Some(&trouble) {
        tracing::warn!(peer = peer.name, %trouble, "no link");
        state.trouble = Some(trouble);
    }
}

async fn dial(control: Arc<Control>, peer: Arc<Peer>, endpoint: SocketAddr) -> Result<(), Trouble> {
    let mut channel = Channel::dial(endpoint, &control.tls, &control.workers, STEP).await?;
    let admitted = admit(&control, &channel)?;
    if admitted.identity() != peer.identity {
        let detail = format!("{} at {endpoint}", admitted.identity());
        return Err(Trouble::new(Kind::AnotherDevice, detail));
    }
    let turn = peer.turn.lock().await;
    if !peer.is_due() {
        // The peer's own connection was faster.
        channel.close().await;
        return Ok(());
    }
    greet(&control, &peer, &mut channel).await?;
    let hello = greeting(&mut channel).await?;
    let epoch = establish(&control, &peer, &mut channel, hello).await?;
    let orders = enter(&control, &peer, &channel)?;
    drop(turn);
    tracing::info!(peer = peer.name, epoch = epoch.0, "connected, encrypting (dialled)");
    let (control, peer) = (control.clone(), peer.clone());
    tokio::spawn(async move { session::keep(&control, &peer, channel, (orders, hello.serial)).await });
    Ok(())
}
