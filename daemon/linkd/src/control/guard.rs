//! Revocation is an event (R31): every second the guard looks for a new policy, new trust anchors or revocation lists, and
//! then judges the peer of each living link again. Who is no longer admitted is cut off within [`ROUND`] and the moment that
//! judging all takes. Without such an event a verdict stands until the first of what it rests on expires: it was reached
//! with the clock put forward to that moment, and is reached anew then, or when the clock is put back.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::UnixTime;

use super::Control;
use super::bypass::Vigil;
use super::handing::Held;
use super::peer::Peer;
use super::reload::Reloader;
use crate::admission::{self, Trust};
use crate::fault::Fault;
use crate::policy;

/// Looks at files and clocks are so far apart: a revoked peer is cut off 5 s after the new list is in place, with time to
/// read the list and to judge thousands.
const ROUND: Duration = Duration::from_secs(1);
/// What was not believed is read again after so many rounds, though no file says that it changed.
const ROUNDS_BEFORE_RETRY: u32 = 5;

/// Guards until the daemon ends.
pub fn run(control: &Arc<Control>) {
    // Nothing is taken for seen: a file may have been replaced since the start read it.
    let (mut tried, mut told) = (None, String::new());
    let (mut last, mut patience) = (admission::now(), 0u32);
    let (mut reloader, mut vigil) = (Reloader::new(control.path.clone()), Vigil::default());
    while !control.is_stopping() {
        std::thread::sleep(ROUND);
        let (stamps, now) = (stamps(control), admission::now());
        let mut everyone = now < last;
        let again = !told.is_empty() && patience == 0;
        patience = patience.saturating_sub(1);
        if tried.as_ref() != Some(&stamps) || again {
            (everyone, tried, patience) = (true, Some(stamps), ROUNDS_BEFORE_RETRY);
            match renew(control) {
                Ok(()) => told.clear(),
                // What cannot be read or is not believed leaves the one before in force, and is tried again.
                Err(why) => tell_once(&mut told, why.to_string()),
            }
        }
        reloader.look(control);
        judge(control, now, everyone);
        vigil.look(control);
        last = now;
    }
}

fn tell_once(told: &mut String, why: String) {
    if *told != why {
        tracing::error!(why, "trust and policy stay as they were");
        *told = why;
    }
}

/// What changes when a file does: its number, length and time of change.
pub type Stamp = Option<(u64, u64, i64, i64)>;

fn stamps(control: &Control) -> Vec<Stamp> {
    let (identity, policy) = (&control.config.identity, &control.config.policy);
    let received = control.sources().received();
    let named = [&policy.bundle, &policy.authority, &identity.trust_anchors, &received];
    let paths = named.map(Some).into_iter().chain([identity.crl.as_ref()]);
    paths.flatten().map(|path| stamp(path)).collect()
}

/// A file as it is now.
pub fn stamp(path: &Path) -> Stamp {
    let found = std::fs::metadata(path).ok()?;
    Some((found.ino(), found.size(), found.ctime(), found.ctime_nsec()))
}

fn renew(control: &Arc<Control>) -> Result<(), Fault> {
    let trust = Trust::load(&control.config.identity)?;
    let policy = policy::load(&control.sources(), &trust, &control.serials);
    control.admission.set_trust(trust);
    let policy = policy?;
    let serial = policy.accepted.serial();
    tracing::info!(serial, "policy in force");
    control.admission.set_policy(policy.accepted);
    control.apply_policy();
    control.hold(Held { serial, file: policy.file.into() });
    Ok(())
}

/// Judges every peer, or those whose verdict has lapsed.
fn judge(control: &Control, now: UnixTime, everyone: bool) {
    let peers = control.peers();
    for peer in peers.iter() {
        let lapsed = peer.state().evidence.as_ref().is_some_and(|shown| shown.until < now);
        if everyone || lapsed {
            judge_one(control, peer, now);
        }
    }
}

fn judge_one(control: &Control, peer: &Peer, now: UnixTime) {
    let Some(shown) = peer.state().evidence.clone() else { return };
    match control.admission.admit(&shown.chain, shown.shown, now) {
        Ok(_) => {
            let until = control.admission.admitted_until(&shown.chain, shown.shown, now);
            let expires = control.admission.expires(&shown.chain, shown.shown, now);
            // Not what the peer has shown meanwhile: that has a verdict of its own.
            if let Some(kept) = peer.state().evidence.as_mut().filter(|kept| kept.chain == shown.chain) {
                (kept.until, kept.expires) = (until, Some(expires));
            }
        }
        Err(refused) => {
            tracing::error!(peer = peer.name, %refused, "the link is cut");
            peer.state().revoked = refused.is_revocation();
            peer.cut(refused.into());
            control.plane.block(peer.number);
        }
    }
}
