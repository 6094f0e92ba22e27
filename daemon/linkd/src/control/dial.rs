//! Dialling one peer whenever an epoch is due, with a pause that grows while it does not succeed.

use std::sync::Arc;
use std::time::Duration;

use super::channel::Channel;
use super::negotiate::{STEP, admit, enter, establish, greet, greeting};
use super::peer::{Due, Peer};
use super::{Control, spawn};
use crate::trouble::{Kind, Trouble};

/// The first pause after a failure; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// A hub has its links back within 10 s of a power cut, so a site tries more often than that.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// The smaller identity lets the larger one dial first.
const GRACE: Duration = Duration::from_secs(1);

/// Dials until the daemon ends.
pub fn run(control: &Arc<Control>, peer: &Arc<Peer>) {
    let Some(_) = control.config.endpoint(&peer.name) else {
        tracing::info!(peer = peer.name, "no [[peer]] endpoint: this peer has to dial us");
        return;
    };
    let grace = if control.admission.own() > peer.identity { Duration::ZERO } else { GRACE };
    let mut pause = grace;
    while peer.wait_until_due(pause) == Due::Dial {
        pause = match dial(control, peer) {
            Ok(()) => FIRST_PAUSE,
            Err(trouble) if trouble.kind == Kind::Busy => GRACE,
            Err(trouble) => {
                report(peer, trouble);
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

fn dial(control: &Arc<Control>, peer: &Arc<Peer>) -> Result<(), Trouble> {
    let endpoint =
        control.config.endpoint(&peer.name).ok_or_else(|| Trouble::new(Kind::Unreachable, "no [[peer]] endpoint"))?;
    let mut channel = Channel::dial(endpoint, &control.tls, STEP)?;
    let admitted = admit(control, &channel)?;
    if admitted.identity() != peer.identity {
        let detail = format!("{} at {endpoint}", admitted.identity());
        return Err(Trouble::new(Kind::AnotherDevice, detail));
    }
    let turn = peer.turn.lock().unwrap_or_else(|e| e.into_inner());
    if !peer.is_due() {
        // The peer's own connection was faster.
        channel.close();
        return Ok(());
    }
    greet(control, peer, &mut channel)?;
    let hello = greeting(&mut channel)?;
    let epoch = establish(control, peer, &mut channel, hello)?;
    let session = enter(peer, &channel)?;
    drop(turn);
    tracing::info!(peer = peer.name, epoch = epoch.0, "connected, encrypting (dialled)");
    let (control, peer) = (control.clone(), peer.clone());
    spawn("session", move || control.keep(&peer, channel, session)).map_err(Trouble::from)
}
