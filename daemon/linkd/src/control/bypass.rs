//! The order that lies in the state folder (R27): found, judged, followed once, shouted about, ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use coloa_link::bypass::{Order, OrderRefused};

use super::guard::{Stamp, stamp};
use super::{Control, Peer};
use crate::bypass::command::{moment, now};
use crate::bypass::{Signed, place};
use crate::data::clear::Clear;
use crate::policy::serial::SerialStore;

/// While something may go in clear the log says so this often.
const SHOUT: Duration = Duration::from_secs(60);

/// What the guard remembers from one look to the next.
#[derive(Default)]
pub struct Vigil {
    seen: Stamp,
    /// It may be followed when its time comes.
    waits: bool,
    followed: Option<Followed>,
}

/// An order in force.
struct Followed {
    order: Order,
    signers: Vec<[u8; 32]>,
    until: Instant,
    shouted: Instant,
    clear: Option<Arc<Clear>>,
}

impl Vigil {
    /// One look, every second.
    pub fn look(&mut self, control: &Control) {
        let stamp = stamp(&place(&control.config));
        if stamp != self.seen || self.waits {
            let waited = std::mem::take(&mut self.waits) && stamp == self.seen;
            self.seen = stamp;
            if stamp.is_none() {
                self.end(control, "it was taken back");
            } else if let Err(why) = self.take(control) {
                self.end(control, "another one lies there");
                self.waits = why.ends_with(&OrderRefused::Early.to_string());
                // While it waits for its time, that is said once.
                if !(waited && self.waits) {
                    tracing::error!(why, "the bypass order is not followed: nothing goes in clear");
                }
            }
        }
        let over = self.followed.as_ref().and_then(|followed| followed.is_over(control));
        if let Some(why) = over {
            self.end(control, &why);
        }
        if let Some(followed) = &mut self.followed {
            followed.keep_up(control);
        }
    }

    fn take(&mut self, control: &Control) -> Result<(), String> {
        let signed = Signed::read(&place(&control.config)).map_err(|e| e.to_string())?;
        let order = signed.order().map_err(|e| e.to_string())?;
        let signers: Vec<_> = signed.signers().into_iter().map(|signer| signer.0).collect();
        let store = SerialStore::of_orders(&control.config.state_dir);
        let (used, now) = (store.newest()?, now());
        judge(control, &order, &signers, (now, used)).map_err(|refused| refused.to_string())?;
        // Used from here on, whatever happens: not again after a restart.
        store.accept(order.serial, &order.to_bytes()).map_err(|refused| format!("{refused:?}"))?;
        let (begun, left) = (Instant::now(), Duration::from_secs(order.until.saturating_sub(now)));
        let until = begun.checked_add(left).unwrap_or(begun);
        let (serial, reason) = (order.serial, order.reason.clone());
        tracing::error!(
            serial,
            reason,
            until = moment(order.until),
            "BYPASS: what has no keys goes in CLEAR (KHÔNG MÃ HÓA)"
        );
        self.followed = Some(Followed { order, signers, until, shouted: begun, clear: None });
        Ok(())
    }

    fn end(&mut self, control: &Control, why: &str) {
        if let Some(followed) = self.followed.take() {
            control.plane.set_clear(None);
            *control.bypass() = None;
            tracing::warn!(serial = followed.order.serial, why, "the bypass has ended: what has no keys is blocked");
        }
    }
}

impl Followed {
    /// Also when the clock on the wall was set, or the policy does not provide for it any more.
    fn is_over(&self, control: &Control) -> Option<String> {
        let now = now();
        if Instant::now() >= self.until {
            return Some(OrderRefused::Over.to_string());
        }
        judge(control, &self.order, &self.signers, (now, None)).err().map(|refused| refused.to_string())
    }

    /// Brings the data plane in step with who is a peer now, and says aloud that something may go in clear.
    fn keep_up(&mut self, control: &Control) {
        let may = |peer: &Arc<Peer>| {
            let state = peer.state();
            state.granted() && !state.revoked
        };
        let peers = control.peers().into_iter().filter(may);
        let named = peers.filter(|peer| self.order.names(&peer.identity.0));
        let peers = named.map(|peer| (peer.number, control.endpoint(&peer.name))).collect();
        let clear = Arc::new(Clear { peers, filters: self.order.filters.clone(), until: self.until });
        // Every time: the data plane leaves out whose keys were taken since the last one.
        control.plane.set_clear(Some(clear.clone()));
        if self.clear.as_ref() != Some(&clear) {
            let numbers = clear.peers.iter().map(|(number, _)| *number).collect();
            let (until, reason) = (moment(self.order.until), self.order.reason.clone());
            *control.bypass() = Some(Shown { serial: self.order.serial, until, reason, peers: numbers });
            self.clear = Some(clear);
        }
        if self.shouted.elapsed() >= SHOUT {
            self.shouted = Instant::now();
            let minutes = self.until.saturating_duration_since(self.shouted).as_secs() / 60;
            tracing::error!(serial = self.order.serial, minutes, "BYPASS in force: what has no keys goes in CLEAR");
        }
    }
}

fn judge(control: &Control, order: &Order, signers: &[[u8; 32]], when: (u64, Option<u64>)) -> Result<(), OrderRefused> {
    let policy = control.admission.policy();
    let custodians = policy.as_ref().as_ref().and_then(|spd| spd.bypass());
    order.judge(custodians, signers, &control.admission.own().0, when)
}

/// The order in force, for people.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Its number.
    pub serial: u64,
    /// Its end.
    pub until: String,
    /// Why.
    pub reason: String,
    /// Whom it names.
    pub peers: Vec<crate::data::PeerNumber>,
}
