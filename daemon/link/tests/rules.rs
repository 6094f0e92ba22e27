//! Organs, groups and hubs in the policy: what they grant, through whom, and nothing beyond it (R26, R37).

mod packets;

use coloa_link::bundle::{Bundle, BundleError, Filter, Pair, PortRange, Site, VERSION};
use coloa_link::ip::{self, Selector};
use coloa_link::rule::{Members, Rule, Via};
use coloa_link::{Arrival, DropReason, Organ, SiteIndex, Spd, hop};
use packets::udp;

const HUB: u8 = 0;
const OTHER_HUB: u8 = 4;

/// Site n has 10.n.0.0/16. Courts 1 and 2 and procuracy 3 belong to hub 0, court 5 to hub 4.
fn site(number: u8) -> Site {
    let (organ, hub) = match number {
        HUB | OTHER_HUB => (Some(Organ::Government), None),
        3 => (Some(Organ::Procuracy), Some(HUB)),
        5 => (Some(Organ::Court), Some(OTHER_HUB)),
        _ => (Some(Organ::Court), Some(HUB)),
    };
    Site {
        name: format!("site {number}"),
        identity: [number; 32],
        prefixes: vec![format!("10.{number}.0.0/16").parse().unwrap()],
        organ,
        hub: hub.map(u32::from),
        groups: (number == 2).then(|| vec!["north".into()]),
    }
}

fn rule(a: Members, b: Members, via: Option<Via>) -> Rule {
    Rule { a, b, filters: vec![], via }
}

fn courts() -> Members {
    Members::Organ(Organ::Court)
}

fn bundle(pairs: Vec<Pair>, rules: Vec<Rule>) -> Bundle {
    let rules = (!rules.is_empty()).then_some(rules);
    Bundle { version: VERSION, serial: 1, sites: (0..6).map(site).collect(), pairs, rules, bypass: None }
}

fn spd(bundle: &Bundle, number: u8) -> Spd {
    Spd::new(bundle.clone().accept(None).unwrap(), &[number; 32]).unwrap()
}

fn selector(from: u8, to: u8, ports: (u16, u16)) -> Selector {
    let address = |site: u8| format!("10.{site}.0.1").parse().unwrap();
    Selector::parse(&udp(address(from), address(to), ports, b"x")).unwrap()
}

fn peers(bundle: &Bundle, number: u8) -> Vec<u32> {
    spd(bundle, number).peers().map(|(index, _)| index.0).collect()
}

fn out(bundle: &Bundle, from: u8, to: u8) -> Result<u32, DropReason> {
    spd(bundle, from).outbound(&selector(from, to, (1, 1))).map(|site| site.0)
}

/// What `at` does with a packet of `from` for `to` that came through the SA of `peer`.
fn arrives(bundle: &Bundle, at: u8, peer: u8, (from, to): (u8, u8)) -> Result<Arrival, DropReason> {
    spd(bundle, at).arriving(SiteIndex(peer.into()), &selector(from, to, (1, 1)))
}

#[test]
fn an_organ_may_talk_to_its_own_hub_and_to_no_other() {
    let policy = bundle(vec![], vec![rule(courts(), Members::TheirHub, None)]);
    assert_eq!(peers(&policy, 1), [u32::from(HUB)]);
    assert_eq!(peers(&policy, 5), [u32::from(OTHER_HUB)]);
    assert_eq!((peers(&policy, HUB), peers(&policy, 3)), (vec![1, 2], vec![]));
    assert_eq!((out(&policy, 1, HUB), out(&policy, HUB, 2)), (Ok(0), Ok(2)));
    assert_eq!(out(&policy, 1, OTHER_HUB), Err(DropReason::NoPolicy));
    assert_eq!(out(&policy, 1, 2), Err(DropReason::NoPolicy), "two courts have nothing by it");
    assert_eq!(arrives(&policy, HUB, 1, (1, HUB)), Ok(Arrival::Here));
    assert_eq!(arrives(&policy, HUB, 1, (1, 2)), Err(DropReason::NoPolicy), "and their hub does not relay");
}

#[test]
fn two_organs_may_talk_by_the_filters_of_their_rule_in_its_direction() {
    let dns = Filter { protocol: ip::UDP, a_ports: None, b_ports: Some(PortRange { first: 53, last: 53 }) };
    let asks = Rule { filters: vec![dns], ..rule(courts(), Members::Organ(Organ::Procuracy), None) };
    let policy = bundle(vec![], vec![asks]);
    assert_eq!(peers(&policy, 3), [1, 2, 5]);
    let court = spd(&policy, 1);
    assert_eq!(court.outbound(&selector(1, 3, (9, 53))), Ok(SiteIndex(3)));
    assert_eq!(court.outbound(&selector(1, 3, (53, 9))), Err(DropReason::FilteredProtocol));
    assert_eq!(spd(&policy, 3).inbound(SiteIndex(5), &selector(5, 3, (9, 53))), Ok(()));
    assert_eq!(spd(&policy, 3).outbound(&selector(3, 5, (9, 53))), Err(DropReason::FilteredProtocol));
}

#[test]
fn a_pair_and_a_rule_add_up() {
    let icmp = Filter { protocol: ip::ICMP, a_ports: None, b_ports: None };
    let narrow = Pair { a: 1, b: 2, filters: vec![icmp], via: None };
    let wide = rule(courts(), Members::Group("north".into()), None);
    assert_eq!(out(&bundle(vec![narrow.clone()], vec![]), 1, 2), Err(DropReason::FilteredProtocol));
    assert_eq!(out(&bundle(vec![narrow], vec![wide]), 1, 2), Ok(2));
}

#[test]
fn what_goes_through_a_hub_takes_its_sa_and_is_believed_from_it_alone() {
    let by_pair = bundle(vec![Pair { a: 1, b: 2, filters: vec![], via: Some(0) }], vec![]);
    let by_rule = bundle(vec![], vec![rule(courts(), courts(), Some(Via::CommonHub))]);
    for policy in [by_pair, by_rule] {
        assert_eq!((peers(&policy, 1), peers(&policy, 2), peers(&policy, HUB)), (vec![0], vec![0], vec![1, 2]));
        assert_eq!(out(&policy, 1, 2), Ok(HUB.into()), "the hub's SA");
        assert_eq!(arrives(&policy, HUB, 1, (1, 2)), Ok(Arrival::Relay(SiteIndex(2))));
        assert_eq!(arrives(&policy, HUB, 2, (2, 1)), Ok(Arrival::Relay(SiteIndex(1))));
        assert_eq!(arrives(&policy, 2, HUB, (1, 2)), Ok(Arrival::Here));
        // The hub relays nobody else's packets, nothing it did not get from their sender, and has no say of its own.
        assert_eq!(arrives(&policy, HUB, 1, (2, 1)), Err(DropReason::ForeignSource));
        assert_eq!(arrives(&policy, HUB, 1, (5, 2)), Err(DropReason::ForeignSource));
        assert_eq!(arrives(&policy, HUB, 1, (1, 3)), Err(DropReason::NoPolicy));
        assert_eq!(arrives(&policy, HUB, 1, (1, HUB)), Err(DropReason::NoPolicy));
        assert_eq!(arrives(&policy, 2, HUB, (HUB, 2)), Err(DropReason::NoPolicy));
        assert_eq!(arrives(&policy, 2, HUB, (3, 2)), Err(DropReason::ForeignSource));
        assert_eq!(arrives(&policy, 2, HUB, (1, 3)), Err(DropReason::NoPolicy), "a spoke is no relay");
        assert_eq!(out(&policy, 1, HUB), Err(DropReason::NoPolicy));
        let reached: Vec<_> = spd(&policy, 1).reachable().map(|(index, _)| index.0).collect();
        assert_eq!(reached, [2], "the hub's own networks are not");
    }
}

#[test]
fn a_common_hub_joins_only_its_own_and_filters_hold_at_every_hop() {
    let web = Filter { protocol: ip::UDP, a_ports: None, b_ports: Some(PortRange { first: 80, last: 80 }) };
    let asks = Rule { filters: vec![web], ..rule(courts(), Members::Organ(Organ::Procuracy), Some(Via::CommonHub)) };
    let policy = bundle(vec![], vec![asks]);
    assert_eq!((peers(&policy, 5), peers(&policy, OTHER_HUB)), (vec![], vec![5]), "5 has no procuracy at its hub");
    let (good, bad) = (selector(1, 3, (9, 80)), selector(1, 3, (80, 9)));
    assert_eq!(spd(&policy, 1).outbound(&good), Ok(SiteIndex(0)));
    let filtered = DropReason::FilteredProtocol;
    assert_eq!(spd(&policy, 1).outbound(&bad), Err(filtered));
    assert_eq!(spd(&policy, HUB).arriving(SiteIndex(1), &good), Ok(Arrival::Relay(SiteIndex(3))));
    assert_eq!(spd(&policy, HUB).arriving(SiteIndex(1), &bad), Err(filtered), "the hub does not take a spoke's word");
    assert_eq!(spd(&policy, 3).inbound(SiteIndex(0), &bad), Err(filtered), "nor a spoke its hub's");
}

#[test]
fn a_link_of_their_own_goes_before_the_hub() {
    let policy = bundle(
        vec![Pair { a: 1, b: 2, filters: vec![], via: None }],
        vec![rule(courts(), courts(), Some(Via::CommonHub))],
    );
    assert_eq!(out(&policy, 1, 2), Ok(2));
    assert_eq!(arrives(&policy, 2, HUB, (1, 2)), Ok(Arrival::Here), "the other may still use the hub");
}

#[test]
fn rules_are_told_for_two_sites() {
    let policy = bundle(vec![], vec![rule(courts(), courts(), Some(Via::CommonHub))]);
    let spd = spd(&policy, 1);
    let told: Vec<_> = spd.rules_between(SiteIndex(1), SiteIndex(2)).map(|(_, sites, hub)| (sites, hub)).collect();
    let (one, two, hub) = (SiteIndex(1), SiteIndex(2), Some(SiteIndex(0)));
    assert_eq!(told, [([one, two], hub), ([two, one], hub)]);
    assert_eq!(spd.rules_between(SiteIndex(1), SiteIndex(5)).count(), 0);
}

#[test]
fn what_names_nothing_is_refused_by_name() {
    let refused = |pairs, rules| bundle(pairs, rules).accept(None).err();
    let bad_rules = [
        rule(Members::Site(9), courts(), None),
        rule(courts(), Members::Group(String::new()), None),
        rule(Members::TheirHub, courts(), None),
        rule(courts(), Members::TheirHub, Some(Via::CommonHub)),
        rule(courts(), courts(), Some(Via::Site(6))),
    ];
    for bad in bad_rules {
        assert_eq!(refused(vec![], vec![bad.clone()]), Some(BundleError::BadRule), "{bad:?}");
    }
    for via in [1, 2, 6] {
        assert_eq!(
            refused(vec![Pair { a: 1, b: 2, filters: vec![], via: Some(via) }], vec![]),
            Some(BundleError::BadPair)
        );
    }
    let changed = |change: fn(&mut Site)| {
        let mut bundle = bundle(vec![], vec![]);
        change(&mut bundle.sites[1]);
        bundle.accept(None).err()
    };
    let membership = Some(BundleError::BadMembership);
    assert_eq!(changed(|site| site.hub = Some(1)), membership);
    assert_eq!(changed(|site| site.hub = Some(6)), membership);
    assert_eq!(changed(|site| site.groups = Some(vec!["b".into(), "a".into()])), membership);
    assert_eq!(changed(|site| site.groups = Some(vec![])), membership);
    assert_eq!(changed(|_| {}), None);
}

#[test]
fn what_is_not_used_is_not_written_and_what_is_survives() {
    let mut plain = bundle(vec![Pair { a: 0, b: 1, filters: vec![], via: None }], vec![]);
    for site in &mut plain.sites {
        (site.organ, site.hub, site.groups) = (None, None, None);
    }
    // As a version without organs, hubs and rules wrote it: maps of four and three numbered fields.
    let octets = plain.to_bytes();
    assert_eq!((octets[0], octets[6], octets[7]), (0xa4, 0x86, 0xa3), "{octets:02x?}");
    assert_eq!(&octets[octets.len() - 8..], [0x81, 0xa3, 0x00, 0x00, 0x01, 0x01, 0x02, 0x80]);
    assert_eq!(Bundle::parse(&octets), Ok(plain));
    let full = bundle(
        vec![Pair { a: 1, b: 2, filters: vec![], via: Some(0) }],
        vec![rule(courts(), Members::TheirHub, None), rule(courts(), courts(), Some(Via::Site(4)))],
    );
    assert_eq!(Bundle::parse(&full.to_bytes()), Ok(full));
}

#[test]
fn an_organ_is_named_exactly_or_not_at_all() {
    for organ in Organ::ALL {
        assert_eq!((Organ::named(organ.word()), Organ::named(organ.title())), (Some(organ), Some(organ)));
    }
    for other in ["", "Court", "court ", "Tòa án", "Tòa án nhân dân tỉnh Thừa Thiên Huế"] {
        assert_eq!(Organ::named(other), None, "{other}");
    }
}

#[test]
fn a_hop_is_taken_and_the_last_one_is_not_spent() {
    for (source, destination, at) in [("10.0.0.1", "10.1.0.1", 8), ("fd00::1", "fd01::1", 7)] {
        let mut packet = udp(source.parse().unwrap(), destination.parse().unwrap(), (1, 2), b"payload");
        let before = packet.clone();
        hop::take(&mut packet).expect("hops are left");
        assert_eq!(packet[at], before[at] - 1);
        let mut expected = before;
        expected[at] -= 1;
        if at == 8 {
            expected[10..12].fill(0);
            let sum: u32 = expected[..20].chunks(2).map(|w| u32::from(u16::from_be_bytes([w[0], w[1]]))).sum();
            let folded = (sum & 0xffff) + (sum >> 16);
            let field = !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap();
            expected[10..12].copy_from_slice(&field.to_be_bytes());
        }
        assert_eq!(packet, expected);
        for last in [0, 1] {
            packet[at] = last;
            let kept = packet.clone();
            assert_eq!(hop::take(&mut packet), Err(DropReason::HopsExhausted));
            assert_eq!(packet, kept);
        }
    }
    assert_eq!(hop::take(&mut []), Err(DropReason::MalformedIp));
}
