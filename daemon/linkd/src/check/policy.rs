//! What `check` says of the policy: who this site is, whom it may talk to, what may pass, and where the file disagrees.

use std::collections::BTreeMap;

use coloa_link::{Prefix, SiteIndex, Spd};

use super::identity::Own;
use super::{Findings, words};
use crate::config::Config;
use crate::policy::received::Sources;
use crate::policy::serial::SerialStore;
use crate::policy::{self, rules};

/// Sites behind a hub that are named.
const NAMED: usize = 10;

/// The policy as this site has it.
pub fn examine(config: &Config, own: Option<&Own>, findings: &mut Findings) {
    let Some(own) = own else { return };
    let Some(accepted) = findings.took("policy", policy::examine(&Sources::of(config), &own.trust)) else { return };
    let serial = accepted.serial();
    serials(config, serial, findings);
    let Some(spd) = Spd::new(accepted, &own.identity.0) else {
        let identity = own.identity;
        return findings.wrong(
            "policy",
            words(
                format!("policy {serial} does not know this site ({identity}): everything would be blocked. Have it entered."),
                format!("chính sách {serial} không có điểm này ({identity}): mọi thứ sẽ bị chặn. Đề nghị bổ sung."),
            ),
        );
    };
    site(&spd, own, findings);
    addresses(config, &spd, findings);
    peers(config, &spd, findings);
    strangers(config, &spd, findings);
}

fn serials(config: &Config, serial: u64, findings: &mut Findings) {
    match SerialStore::new(&config.state_dir).newest() {
        Ok(Some(accepted)) if serial < accepted => findings.wrong(
            "policy",
            words(
                format!("policy {serial} is older than {accepted}, which was accepted here. Fetch the newest bundle."),
                format!("chính sách {serial} cũ hơn số {accepted} đã được chấp nhận tại đây. Lấy bản mới nhất."),
            ),
        ),
        Ok(_) => {}
        Err(why) => findings.wrong("policy", words(why.clone(), why)),
    }
}

fn site(spd: &Spd, own: &Own, findings: &mut Findings) {
    let Some(site) = spd.site(spd.us()) else { return };
    let (name, serial) = (&site.name, spd.serial());
    let networks = site.prefixes.iter().map(Prefix::to_string).collect::<Vec<_>>().join(", ");
    let organ = site.organ.map(|organ| format!(" ({organ})")).unwrap_or_default();
    findings.good(
        "site",
        words(
            format!("by policy {serial} this is site `{name}`{organ} with {networks}."),
            format!("theo chính sách {serial}, đây là điểm `{name}`{organ} với {networks}."),
        ),
    );
    if let Some(wanted) = site.organ.filter(|wanted| own.organ != Some(*wanted)) {
        let said = own.organ.map_or("none", coloa_link::Organ::word);
        findings.wrong(
            "organ",
            words(
                format!("the policy has this site as {wanted}, its certificate says {said}: every peer will refuse it. Have the right certificate issued (O={})." , wanted.title()),
                format!("chính sách ghi điểm này là {wanted}, chứng thư ghi {said}: mọi đối tác sẽ từ chối. Xin cấp lại chứng thư (O={}).", wanted.title()),
            ),
        );
    }
    if spd.is_relay() {
        findings.good(
            "hub",
            words(
                "this site relays between others, inside the encryptor.",
                "điểm này chuyển tiếp cho các điểm khác, trong thiết bị mã hóa.",
            ),
        );
    }
}

/// Addresses of ours that the policy does not give us: what comes from there is dropped.
fn addresses(config: &Config, spd: &Spd, findings: &mut Findings) {
    let listed = config.red.addresses.iter().chain(config.red.neighbours.iter().flat_map(|wire| &wire.networks));
    for address in listed.filter(|address| spd.owner(address.address).map(|(site, _)| site) != Some(spd.us())) {
        findings.notice(
            "red",
            words(
                format!(
                    "{address} is in no network that the policy has for this site: packets from there are dropped."
                ),
                format!("{address} không thuộc mạng nào của điểm này trong chính sách: gói từ đó bị chặn."),
            ),
        );
    }
}

fn peers(config: &Config, spd: &Spd, findings: &mut Findings) {
    for (index, site) in spd.peers() {
        let endpoint = config.peer.iter().find(|peer| peer.site == site.name).and_then(|peer| peer.endpoint);
        let organ = site.organ.map(|organ| format!(" ({organ})")).unwrap_or_default();
        let (english, vietnamese) = match endpoint {
            Some(at) => (format!("dialled at {at}"), format!("gọi tới {at}")),
            None => ("has to dial us".into(), "phải gọi đến đây".into()),
        };
        let (what, name) = (may_pass(spd, index), &site.name);
        let none = what.is_empty();
        let all = what.join("; ");
        findings.good(
            "peer",
            words(
                format!(
                    "`{name}`{organ}, {english}; {}.",
                    if none { "nothing for ourselves".into() } else { format!("may exchange {all}") }
                ),
                format!(
                    "`{name}`{organ}, {vietnamese}; {}.",
                    if none {
                        "không trao đổi trực tiếp".into()
                    } else {
                        format!("được trao đổi {all}")
                    }
                ),
            ),
        );
    }
    through(spd, findings);
}

/// Whom we reach by which hub: some by name, all by number.
fn through(spd: &Spd, findings: &mut Findings) {
    let mut by_hub = BTreeMap::<&str, Vec<&str>>::new();
    for (index, site) in spd.reachable() {
        let hub = spd.rules_between(spd.us(), index).filter_map(|(.., hub)| spd.site(hub?)).next();
        if let Some(hub) = hub {
            by_hub.entry(&hub.name).or_default().push(&site.name);
        }
    }
    for (hub, sites) in by_hub {
        let (number, named) = (sites.len(), sites.iter().take(NAMED).copied().collect::<Vec<_>>().join(", "));
        findings.good(
            "through",
            words(
                format!("{number} reached through `{hub}`: {named}{}", if number > NAMED { ", …" } else { "." }),
                format!("{number} điểm được nối qua `{hub}`: {named}{}", if number > NAMED { ", …" } else { "." }),
            ),
        );
    }
}

fn may_pass(spd: &Spd, peer: SiteIndex) -> Vec<String> {
    let name = |index| spd.site(SiteIndex(index)).map_or_else(|| "?".into(), |site| site.name.clone());
    let direct = spd.rules_between(spd.us(), peer).filter(|(.., hub)| hub.is_none());
    let mut all: Vec<String> = direct.map(|(rule, ..)| rules::words_with(rule, name).1).collect();
    all.dedup();
    all
}

/// Peers that the file names and the policy does not grant: they stay blocked, whatever the file says (R37).
fn strangers(config: &Config, spd: &Spd, findings: &mut Findings) {
    for peer in config.peer.iter().filter(|peer| !spd.peers().any(|(_, site)| site.name == peer.site)) {
        let name = &peer.site;
        findings.notice(
            "peer",
            words(
                format!("[[peer]] `{name}` has no link by the policy: it stays blocked."),
                format!("[[peer]] `{name}` không được chính sách cho phép: vẫn bị chặn."),
            ),
        );
    }
    if spd.peers().next().is_none() {
        findings.wrong(
            "policy",
            words(
                "the policy grants this site no link: everything is blocked.",
                "chính sách không cho điểm này đường truyền nào: mọi thứ bị chặn.",
            ),
        );
    }
}
