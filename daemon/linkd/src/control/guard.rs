//! Revocation is an event (R31): every few seconds the guard looks for a new policy, new trust anchors or revocation lists,
//! and judges the peer of each living link again. Who is no longer admitted is cut off within [`ROUND`].

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::{Control, Peer};
use crate::admission::{self, Trust};
use crate::fault::Fault;
use crate::policy;

/// A revoked peer is cut off within so long after the new list is in place; so is one whose certificate expires.
const ROUND: Duration = Duration::from_secs(5);

/// Guards until the daemon ends.
pub fn run(control: &Arc<Control>) {
    // Nothing is taken for seen: a file may have been replaced since the start read it.
    let (mut seen, mut told) = (Vec::new(), String::new());
    while !control.is_stopping() {
        std::thread::sleep(ROUND);
        let now = stamps(control);
        if now != seen {
            match renew(control) {
                Ok(()) => (seen, told) = (now, String::new()),
                // What cannot be read or is not believed leaves the one before in force, and is tried again.
                Err(why) => tell_once(&mut told, why.to_string()),
            }
        }
        judge_all(control);
    }
}

fn tell_once(told: &mut String, why: String) {
    if *told != why {
        tracing::error!(why, "trust and policy stay as they were");
        *told = why;
    }
}

/// When each of the files was changed last.
fn stamps(control: &Control) -> Vec<Option<SystemTime>> {
    let (identity, policy) = (&control.config.identity, &control.config.policy);
    let paths = [Some(&policy.bundle), Some(&policy.authority), Some(&identity.trust_anchors), identity.crl.as_ref()];
    let stamp = |path: &Path| std::fs::metadata(path).and_then(|m| m.modified()).ok();
    paths.into_iter().flatten().map(|path| stamp(path)).collect()
}

fn renew(control: &Arc<Control>) -> Result<(), Fault> {
    let trust = Trust::load(&control.config.identity)?;
    let policy = policy::load(&control.config.policy, &trust, &control.serials);
    control.admission.set_trust(trust);
    let policy = policy?;
    tracing::info!(serial = policy.serial(), "policy in force");
    control.admission.set_policy(policy);
    control.apply_policy();
    Ok(())
}

fn judge_all(control: &Control) {
    let peers: Vec<Arc<Peer>> = control.peers().clone();
    for peer in peers {
        judge(control, &peer);
    }
}

fn judge(control: &Control, peer: &Peer) {
    let Some((chain, shown)) = peer.state().evidence.clone() else { return };
    if let Err(refused) = control.admission.admit(&chain, shown, admission::now()) {
        tracing::error!(peer = peer.name, %refused, "the link is cut");
        peer.cut(refused.to_string());
        control.plane.block(peer.number);
    }
}
