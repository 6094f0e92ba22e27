//! What becomes of a packet at one site, by that site's part of the policy.

use coloa_link::ip::Selector;
use coloa_link::{Arrival, DropReason, SiteIndex, Spd};
use serde::Serialize;

use super::name;
use crate::fault::Lang;

/// What becomes of a packet.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It leaves inside the link to this site.
    Sealed {
        /// Whose link it is.
        peer: String,
        /// The site that this peer relays it to, where it is a hub.
        #[serde(skip_serializing_if = "Option::is_none")]
        relayed_to: Option<String>,
    },
    /// It came from one site, and is sealed anew for another: we are their hub.
    Relayed {
        /// Whose link it comes by.
        from: String,
        /// Whose link it leaves by.
        to: String,
    },
    /// It came from this site and goes to its destination.
    Delivered {
        /// Who sent it.
        peer: String,
        /// The hub by whose link it comes.
        #[serde(skip_serializing_if = "Option::is_none")]
        through: Option<String>,
    },
    /// It is dropped and counted under this name.
    Dropped {
        /// The name.
        reason: &'static str,
    },
}

impl Fate {
    /// Of a packet of these fields, at the site that the policy is for.
    pub fn of(spd: &Spd, selector: &Selector) -> Self {
        let owner = |address| spd.owner(address).map(|(site, _)| site);
        let us = spd.us();
        match (owner(selector.source), owner(selector.destination)) {
            // Only a peer's packet comes in here for one of ours, or for a third.
            (Some(from), Some(to)) if from != us && to == us => delivered(spd, from, selector),
            (Some(from), Some(to)) if from != us && to != us && spd.is_relay() => relayed(spd, from, selector),
            (_, to) => sealed(spd, to, selector),
        }
    }

    /// Whose link it uses here.
    pub fn link(&self) -> Option<&str> {
        match self {
            Fate::Sealed { peer, .. } => Some(peer),
            Fate::Delivered { peer, through } => Some(through.as_ref().unwrap_or(peer)),
            Fate::Relayed { to, .. } => Some(to),
            Fate::Dropped { .. } => None,
        }
    }

    /// For people.
    pub fn words(&self, lang: Lang) -> String {
        match (self, lang) {
            (Fate::Sealed { peer, relayed_to: None }, Lang::En) => format!("sealed for {peer}"),
            (Fate::Sealed { peer, relayed_to: None }, Lang::Vi) => format!("mã hóa, gửi tới {peer}"),
            (Fate::Sealed { peer, relayed_to: Some(to) }, Lang::En) => {
                format!("sealed for {peer}, the hub that relays it to {to}")
            }
            (Fate::Sealed { peer, relayed_to: Some(to) }, Lang::Vi) => {
                format!("mã hóa, gửi tới {peer} là điểm trung tâm chuyển tiếp cho {to}")
            }
            (Fate::Relayed { from, to }, Lang::En) => {
                format!("relayed inside the encryptor: opened from {from}, sealed for {to}")
            }
            (Fate::Relayed { from, to }, Lang::Vi) => {
                format!("chuyển tiếp trong thiết bị mã hóa: giải mã từ {from}, mã hóa cho {to}")
            }
            (Fate::Delivered { peer, through: None }, Lang::En) => format!("delivered, from {peer}"),
            (Fate::Delivered { peer, through: None }, Lang::Vi) => format!("chuyển tới đích, đến từ {peer}"),
            (Fate::Delivered { peer, through: Some(hub) }, Lang::En) => {
                format!("delivered, from {peer} through its hub {hub}")
            }
            (Fate::Delivered { peer, through: Some(hub) }, Lang::Vi) => {
                format!("chuyển tới đích, đến từ {peer} qua điểm trung tâm {hub}")
            }
            (Fate::Dropped { reason }, Lang::En) => format!("dropped ({reason}): {}", reason_english(reason)),
            (Fate::Dropped { reason }, Lang::Vi) => format!("chặn ({reason}): {}", reason_vietnamese(reason)),
        }
    }
}

fn dropped(reason: DropReason) -> Fate {
    Fate::Dropped { reason: reason.name() }
}

/// By its sender's own link, or by that of a hub between us.
fn delivered(spd: &Spd, from: SiteIndex, selector: &Selector) -> Fate {
    let own = match spd.inbound(from, selector) {
        Ok(()) => return Fate::Delivered { peer: name(spd, from), through: None },
        Err(reason) => reason,
    };
    let hubs = spd.rules_between(from, spd.us()).filter_map(|(_, _, hub)| hub);
    let mut refused = own;
    for hub in hubs {
        match spd.inbound(hub, selector) {
            Ok(()) => return Fate::Delivered { peer: name(spd, from), through: Some(name(spd, hub)) },
            Err(reason) => refused = reason,
        }
    }
    dropped(refused)
}

fn relayed(spd: &Spd, from: SiteIndex, selector: &Selector) -> Fate {
    match spd.arriving(from, selector) {
        Ok(Arrival::Relay(to)) => Fate::Relayed { from: name(spd, from), to: name(spd, to) },
        Ok(Arrival::Here) => Fate::Delivered { peer: name(spd, from), through: None },
        Err(reason) => dropped(reason),
    }
}

fn sealed(spd: &Spd, to: Option<SiteIndex>, selector: &Selector) -> Fate {
    spd.outbound(selector).map_or_else(dropped, |peer| {
        let relayed_to = to.filter(|to| *to != peer).map(|to| name(spd, to));
        Fate::Sealed { peer: name(spd, peer), relayed_to }
    })
}

fn reason_english(reason: &str) -> &'static str {
    match reason {
        "foreign_source" => "its source is not behind this site, nor behind the peer it would come from",
        "filtered_protocol" => "the two sites may talk, but not with this protocol or port",
        _ => "the policy joins these two addresses by no rule; what it does not name is denied",
    }
}

fn reason_vietnamese(reason: &str) -> &'static str {
    match reason {
        "foreign_source" => "địa chỉ nguồn không thuộc điểm này, cũng không thuộc điểm đối tác gửi đến",
        "filtered_protocol" => "hai điểm được phép liên lạc, nhưng không bằng giao thức hoặc cổng này",
        _ => "chính sách không có quy tắc cho hai địa chỉ này; điều không nêu là bị cấm",
    }
}
