//! Who may order that something goes in clear, and for how long (R27).

mod packets;

use coloa_link::bundle::{self, Bundle, BundleError, Filter, Identity, PortRange, Site};
use coloa_link::bypass::{Custodians, MARK, MOST_SECONDS, Order, OrderRefused, VERSION, permits, unwrap, wrap};
use coloa_link::ip::Selector;
use coloa_link::{DropReason, Spd};
use minicbor::bytes::ByteArray;
use proptest::prelude::*;

const NOW: u64 = 1_800_000_000;
const US: Identity = [1; 32];

fn keys(names: &[u8]) -> Vec<ByteArray<32>> {
    names.iter().map(|name| ByteArray::from([*name; 32])).collect()
}

fn custodians() -> Custodians {
    Custodians { threshold: 2, keys: keys(&[10, 11, 12]), most_seconds: 3600 }
}

fn order() -> Order {
    let (from, until) = (NOW - 10, NOW + 600);
    let reason = "the token of hue is broken".into();
    Order { version: VERSION, serial: 7, sites: keys(&[1, 2]), filters: Vec::new(), from, until, reason }
}

fn judged(order: &Order, signers: &[u8]) -> Result<(), OrderRefused> {
    let signers: Vec<Identity> = signers.iter().map(|name| [*name; 32]).collect();
    order.judge(Some(&custodians()), &signers, &US, (NOW, Some(6)))
}

/// R27.
#[test]
fn an_order_takes_a_quorum_that_the_policy_names() {
    assert_eq!(judged(&order(), &[10, 12]), Ok(()));
    assert_eq!(judged(&order(), &[10]), Err(OrderRefused::TooFew { signed: 1, needed: 2 }));
    assert_eq!(judged(&order(), &[10, 10, 10]), Err(OrderRefused::TooFew { signed: 1, needed: 2 }), "one, three times");
    assert_eq!(judged(&order(), &[10, 99]), Err(OrderRefused::TooFew { signed: 1, needed: 2 }), "a stranger");
    let signers = [[10; 32], [11; 32]];
    assert_eq!(order().judge(None, &signers, &US, (NOW, None)), Err(OrderRefused::NotProvided));
    let alone = Custodians { threshold: 1, ..custodians() };
    assert_eq!(
        order().judge(Some(&alone), &signers, &US, (NOW, None)),
        Err(OrderRefused::NotProvided),
        "no quorum of one"
    );
    assert_eq!(order().judge(Some(&custodians()), &signers, &[9; 32], (NOW, None)), Err(OrderRefused::OtherSites));
}

#[test]
fn an_order_is_used_once_in_its_time_and_for_no_longer_than_the_policy_says() {
    let at = |now, used| order().judge(Some(&custodians()), &[[10; 32], [11; 32]], &US, (now, used));
    assert_eq!(at(NOW, None), Ok(()));
    assert_eq!(at(NOW, Some(7)), Err(OrderRefused::Used));
    assert_eq!(at(NOW, Some(8)), Err(OrderRefused::Used));
    assert_eq!(at(NOW - 11, None), Err(OrderRefused::Early));
    assert_eq!(at(NOW + 600, None), Err(OrderRefused::Over));
    assert_eq!(judged(&Order { until: NOW + 3591, ..order() }, &[10, 11]), Err(OrderRefused::TooLong));
}

#[test]
fn what_is_out_of_bounds_is_no_order() {
    let good = order();
    assert_eq!(Order::parse(&good.to_bytes()), Ok(good.clone()));
    let bad = [
        Order { version: 2, ..good.clone() },
        Order { sites: keys(&[1]), ..good.clone() },
        Order { sites: keys(&[2, 1]), ..good.clone() },
        Order { sites: keys(&[1, 1]), ..good.clone() },
        Order { until: good.from, ..good.clone() },
        Order { until: good.from + u64::from(MOST_SECONDS) + 1, ..good.clone() },
        Order { reason: String::new(), ..good.clone() },
        Order { reason: "two\nlines".into(), ..good.clone() },
    ];
    for order in bad {
        assert_eq!(Order::parse(&order.to_bytes()), Err(OrderRefused::Malformed), "{order:?}");
    }
    assert_eq!(Order::parse(&[&good.to_bytes()[..], &[0]].concat()), Err(OrderRefused::Malformed));
}

#[test]
fn a_policy_with_a_quorum_that_is_none_is_refused() {
    let site = |name: &str, key| Site {
        name: name.into(),
        identity: [key; 32],
        prefixes: vec![format!("10.{key}.0.0/16").parse().expect("a network")],
        organ: None,
        hub: None,
        groups: None,
    };
    let with = |bypass| {
        let sites = vec![site("a", 1), site("b", 2)];
        Bundle { version: bundle::VERSION, serial: 1, sites, pairs: vec![], rules: None, bypass }
    };
    let accepted = with(Some(custodians())).accept(None).expect("sound");
    assert_eq!(Spd::new(accepted, &US).expect("known").bypass(), Some(&custodians()));
    let unsound = [
        Custodians { threshold: 1, ..custodians() },
        Custodians { threshold: 4, ..custodians() },
        Custodians { keys: keys(&[11, 10]), ..custodians() },
        Custodians { keys: keys(&[10, 10]), ..custodians() },
        Custodians { most_seconds: MOST_SECONDS + 1, ..custodians() },
        Custodians { most_seconds: 0, ..custodians() },
    ];
    for bypass in unsound {
        assert_eq!(with(Some(bypass)).accept(None).err(), Some(BundleError::BadBypass));
    }
}

#[test]
fn filters_hold_for_both_directions_and_nothing_else() {
    let web = [Filter { protocol: 6, a_ports: None, b_ports: Some(PortRange { first: 443, last: 443 }) }];
    let selector = |protocol, ports| Selector {
        source: "10.1.0.1".parse().expect("address"),
        destination: "10.2.0.1".parse().expect("address"),
        protocol,
        ports,
    };
    assert_eq!(permits(&web, &selector(6, Some((50_000, 443)))), Ok(()));
    assert_eq!(permits(&web, &selector(6, Some((443, 50_000)))), Ok(()));
    for other in [selector(6, Some((50_000, 80))), selector(17, Some((50_000, 443))), selector(6, None)] {
        assert_eq!(permits(&web, &other), Err(DropReason::NoSa));
    }
    assert_eq!(permits(&[], &selector(1, None)), Ok(()));
}

#[test]
fn a_packet_in_clear_is_seen_to_be_one() {
    let packet = packets::udp("10.1.0.1".parse().unwrap(), "10.2.0.1".parse().unwrap(), (1, 2), b"in clear");
    let mut out = [0; 128];
    let len = wrap(&packet, &mut out).expect("room");
    assert!(out.starts_with(&MARK));
    let (inner, selector) = unwrap(&out).expect("a packet, and what lies behind it");
    assert_eq!((inner, &out[MARK.len()..len]), (packet.len(), &packet[..]));
    assert_eq!(selector.ports, Some((1, 2)));
    assert_eq!(wrap(&packet, &mut [0; 20]), Err(DropReason::BufferTooSmall));
    assert_eq!(unwrap(&out[..len - 1]).err(), Some(DropReason::MalformedIp), "cut");
    assert_eq!(unwrap(&packet).err(), Some(DropReason::MalformedEsp), "without the mark");
    assert_eq!(unwrap(&MARK).err(), Some(DropReason::MalformedIp));
}

proptest! {
    /// Whatever the bytes are, an order is read in its one encoding or not at all.
    #[test]
    fn octets_are_an_order_or_they_are_not(edits in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..4)) {
        let mut octets = order().to_bytes();
        for (at, with) in edits {
            let at = usize::from(at) % octets.len();
            octets[at] ^= with;
        }
        if let Ok(parsed) = Order::parse(&octets) {
            prop_assert_eq!(parsed.to_bytes(), octets);
        }
    }
}
