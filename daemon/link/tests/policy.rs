//! The policy database against an obvious model, and the way of a bundle into force.

mod chance;
mod packets;

use coloa_link::bundle::{Bundle, BundleError, Filter, Identity, MAX_NAME, Pair, PortRange, Site, VERSION};
use coloa_link::ip::{self, Selector};
use coloa_link::prefix::Table;
use coloa_link::{DropReason, Outgoing, Prefix, SiteIndex, Spd};
use packets::udp;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

fn identity(number: u8) -> Identity {
    [number; 32]
}

fn site(number: u8, prefixes: &[&str]) -> Site {
    let prefixes = prefixes.iter().map(|prefix| prefix.parse().unwrap()).collect();
    let name = format!("site {number}");
    Site { name, identity: identity(number), prefixes, organ: None, hub: None, groups: None }
}

fn pair(a: u32, b: u32) -> Pair {
    Pair { a, b, filters: vec![], via: None }
}

/// Three sites; 0 may talk to 1 about anything and to 2 about DNS served by 2; 1 and 2 may not talk.
fn network() -> Bundle {
    let dns = Filter { protocol: ip::UDP, a_ports: None, b_ports: Some(PortRange { first: 53, last: 53 }) };
    Bundle {
        version: VERSION,
        serial: 5,
        sites: vec![
            site(0, &["10.0.0.0/16", "fd00:0::/48"]),
            site(1, &["10.1.0.0/16", "fd00:1::/48"]),
            site(2, &["10.1.2.0/24", "10.2.0.0/16"]),
        ],
        pairs: vec![pair(0, 1), Pair { filters: vec![dns], ..pair(0, 2) }],
        rules: None,
        bypass: None,
    }
}

fn spd(number: u8) -> Spd {
    Spd::new(network().accept(None).unwrap(), &identity(number)).unwrap()
}

fn packet(source: &str, destination: &str, ports: (u16, u16)) -> Vec<u8> {
    udp(source.parse().unwrap(), destination.parse().unwrap(), ports, b"x")
}

fn out(number: u8, source: &str, destination: &str, ports: (u16, u16)) -> Result<u32, DropReason> {
    let packet = packet(source, destination, ports);
    spd(number).outbound(Outgoing::single(&packet).unwrap().selector()).map(|site| site.0)
}

fn inward(number: u8, peer: u32, source: &str, destination: &str, ports: (u16, u16)) -> Result<(), DropReason> {
    spd(number).permits_inbound(SiteIndex(peer), &packet(source, destination, ports))
}

#[test]
fn the_longest_prefix_decides_and_no_match_drops() {
    assert_eq!(out(0, "10.0.0.1", "10.1.3.1", (1, 1)), Ok(1));
    assert_eq!(out(0, "fd00::1", "fd00:1::1", (1, 1)), Ok(1));
    assert_eq!(out(0, "10.0.0.1", "10.1.2.1", (1, 53)), Ok(2), "the /24 of site 2 inside the /16 of site 1");
    assert_eq!(out(0, "10.0.0.1", "8.8.8.8", (1, 1)), Err(DropReason::NoPolicy));
    assert_eq!(out(0, "10.0.0.1", "224.0.0.1", (1, 1)), Err(DropReason::NoPolicy));
    assert_eq!(out(0, "10.0.0.1", "10.0.0.2", (1, 1)), Err(DropReason::NoPolicy), "to ourselves");
    assert_eq!(out(1, "10.1.0.1", "10.2.0.1", (1, 1)), Err(DropReason::NoPolicy), "not a pair");
    assert_eq!(out(0, "10.1.0.1", "10.1.0.2", (1, 1)), Err(DropReason::ForeignSource));
    assert_eq!(out(0, "192.168.0.1", "10.1.0.2", (1, 1)), Err(DropReason::ForeignSource));
}

#[test]
fn an_inbound_packet_must_come_from_its_sender_and_be_for_us() {
    assert_eq!(inward(0, 1, "10.1.3.1", "10.0.0.1", (1, 1)), Ok(()));
    assert_eq!(inward(0, 1, "10.1.2.1", "10.0.0.1", (53, 1)), Err(DropReason::ForeignSource), "that is site 2");
    assert_eq!(inward(0, 1, "10.0.0.7", "10.0.0.1", (1, 1)), Err(DropReason::ForeignSource), "our own address");
    assert_eq!(inward(0, 1, "8.8.8.8", "10.0.0.1", (1, 1)), Err(DropReason::ForeignSource));
    assert_eq!(inward(0, 1, "10.1.3.1", "10.2.0.1", (1, 1)), Err(DropReason::NoPolicy), "we are no transit");
    assert_eq!(inward(1, 2, "10.2.0.1", "10.1.0.1", (1, 1)), Err(DropReason::NoPolicy), "not a pair");
    assert_eq!(spd(0).permits_inbound(SiteIndex(1), &[0x45; 3]), Err(DropReason::MalformedIp));
}

#[test]
fn filters_know_which_end_serves() {
    assert_eq!(out(0, "10.0.0.1", "10.2.0.1", (9999, 53)), Ok(2));
    assert_eq!(out(0, "10.0.0.1", "10.2.0.1", (53, 9999)), Err(DropReason::FilteredProtocol));
    assert_eq!(inward(0, 2, "10.2.0.1", "10.0.0.1", (53, 9999)), Ok(()));
    assert_eq!(inward(0, 2, "10.2.0.1", "10.0.0.1", (9999, 53)), Err(DropReason::FilteredProtocol));
    assert_eq!(inward(2, 0, "10.0.0.1", "10.2.0.1", (9999, 53)), Ok(()));
    assert_eq!(out(2, "10.2.0.1", "10.0.0.1", (53, 9999)), Ok(0));
    let icmp = packets::ip("10.0.0.1".parse().unwrap(), "10.2.0.1".parse().unwrap(), 1, 1, &[8; 8]);
    assert_eq!(spd(0).outbound(&Selector::parse(&icmp).unwrap()), Err(DropReason::FilteredProtocol));
}

#[test]
fn a_fragment_without_ports_matches_no_port_filter() {
    let mut later = packet("10.0.0.1", "10.2.0.1", (53, 53));
    later[7] = 9;
    assert_eq!(Selector::parse(&later).unwrap().ports, None);
    assert_eq!(spd(0).outbound(&Selector::parse(&later).unwrap()), Err(DropReason::FilteredProtocol));
}

#[test]
fn extension_headers_do_not_hide_the_protocol() {
    let inner = packet("fd00::1", "fd00:1::1", (7, 53));
    let (source, destination) = ("fd00::1".parse().unwrap(), "fd00:1::1".parse().unwrap());
    let with =
        |extensions: &[u8], first| packets::ip(source, destination, first, 0, &[extensions, &inner[40..]].concat());
    let hop_and_destination = [&[60, 0, 0, 0, 0, 0, 0, 0][..], &[17, 1], &[0; 14]].concat();
    let selector = Selector::parse(&with(&hop_and_destination, 0)).unwrap();
    assert_eq!((selector.protocol, selector.ports), (17, Some((7, 53))));
    let later_fragment = [17, 0, 0, 8, 0, 0, 0, 1];
    let selector = Selector::parse(&with(&later_fragment, 44)).unwrap();
    assert_eq!((selector.protocol, selector.ports), (17, None));
    let first_fragment = [17, 0, 0, 1, 0, 0, 0, 1];
    assert_eq!(Selector::parse(&with(&first_fragment, 44)).unwrap().ports, Some((7, 53)));
}

#[test]
fn peers_are_those_of_our_pairs() {
    let names = |number| spd(number).peers().map(|(_, site)| site.name.clone()).collect::<Vec<_>>();
    assert_eq!((names(0), names(1)), (vec!["site 1".into(), "site 2".into()], vec!["site 0".to_owned()]));
    assert_eq!(spd(1).peer_by_identity(&identity(0)), Some(SiteIndex(0)));
    assert_eq!(spd(1).peer_by_identity(&identity(2)), None, "known to the network, not to us");
    assert!(Spd::new(network().accept(None).unwrap(), &identity(9)).is_none(), "a stranger has no policy");
}

// R37
#[test]
fn the_serial_only_rises() {
    let offered = |serial| Bundle { serial, ..network() };
    let stale = |current, offered| Some(BundleError::StaleSerial { current, offered });
    assert_eq!(offered(5).accept(Some(5)).err(), stale(5, 5));
    assert_eq!(offered(4).accept(Some(5)).err(), stale(5, 4));
    assert_eq!(offered(0).accept(Some(u64::MAX)).err(), stale(u64::MAX, 0));
    assert_eq!(offered(6).accept(Some(5)).unwrap().serial(), 6);
    assert_eq!(offered(0).accept(None).unwrap().serial(), 0);
    assert_eq!(offered(5).resume(5).unwrap().serial(), 5, "the stored one, after a restart");
    assert_eq!(offered(4).resume(5).err(), stale(4, 4), "an older file, put back");
    assert_eq!(offered(0).resume(0).unwrap().serial(), 0);
}

#[test]
fn a_contradictory_bundle_is_refused_by_name() {
    let refused = |change: fn(&mut Bundle)| {
        let mut bundle = network();
        change(&mut bundle);
        bundle.accept(None).err()
    };
    let twice = |text: &str| Some(BundleError::AmbiguousPrefix(text.parse().unwrap()));
    assert_eq!(refused(|bundle| bundle.sites[1].prefixes[0] = "10.0.0.0/16".parse().unwrap()), twice("10.0.0.0/16"));
    assert_eq!(refused(|bundle| bundle.sites[1].identity = identity(0)), Some(BundleError::AmbiguousSite));
    assert_eq!(refused(|bundle| bundle.sites[1].name = "site 0".into()), Some(BundleError::AmbiguousSite));
    assert_eq!(refused(|bundle| bundle.sites[1].name = String::new()), Some(BundleError::AmbiguousSite));
    assert_eq!(refused(|bundle| bundle.sites[1].name = "x".repeat(MAX_NAME + 1)), Some(BundleError::AmbiguousSite));
    assert_eq!(refused(|bundle| bundle.pairs[0] = pair(0, 3)), Some(BundleError::BadPair));
    assert_eq!(refused(|bundle| bundle.pairs[0] = pair(1, 1)), Some(BundleError::BadPair));
    assert_eq!(refused(|bundle| bundle.pairs[0] = pair(1, 0)), Some(BundleError::BadPair));
    assert_eq!(refused(|bundle| bundle.pairs.push(pair(0, 1))), Some(BundleError::BadPair));
    let backwards = |bundle: &mut Bundle| bundle.pairs[1].filters[0].b_ports = Some(PortRange { first: 9, last: 8 });
    assert_eq!(refused(backwards), Some(BundleError::BadPorts));
}

#[test]
fn only_the_deterministic_encoding_is_read() {
    let octets = network().to_bytes();
    assert_eq!(Bundle::parse(&octets), Ok(network()));
    assert_eq!(&octets[..4], &[0xa4, 0x00, 0x01, 0x01], "a map of four numbered fields");
    let trailing = [&octets[..], &[0]].concat();
    assert_eq!(Bundle::parse(&trailing), Err(BundleError::Encoding));
    let longer_number = [&octets[..1], &[0x18, 0x00], &octets[2..]].concat();
    assert_eq!(Bundle::parse(&longer_number), Err(BundleError::Encoding));
    let unknown_field = [&[0xa5], &octets[1..], &[0x18, 0x63, 0x00]].concat();
    assert_eq!(Bundle::parse(&unknown_field), Err(BundleError::Encoding), "it could be a restriction");
    let later = Bundle { version: 2, ..network() }.to_bytes();
    assert_eq!(Bundle::parse(&later), Err(BundleError::Version(2)));
}

#[test]
fn prefixes_are_read_strictly() {
    for bad in ["10.0.0.1/16", "10.0.0.0/33", "fd00::/129", "10.0.0.0", "fd00::1/64", "x/8", "10.0.0.0/-1"] {
        assert!(bad.parse::<Prefix>().is_err(), "{bad}");
    }
    for good in ["0.0.0.0/0", "::/0", "10.0.0.1/32", "fd00::1/128", "10.128.0.0/9"] {
        assert_eq!(good.parse::<Prefix>().unwrap().to_string(), good);
    }
}

/// Prefixes from a corner of the address space, so that they nest and touch.
fn prefixes() -> impl Strategy<Value = Prefix> {
    (any::<bool>(), any::<u8>(), 0u32..=8).prop_map(|(v6, bits, len)| {
        let kept = (u32::from(bits) << 24) & (u32::MAX.checked_shl(32 - len).unwrap_or(0));
        let address: IpAddr =
            if v6 { Ipv6Addr::from_bits(u128::from(kept) << 96).into() } else { Ipv4Addr::from_bits(kept).into() };
        Prefix::new(address, len as u8).unwrap()
    })
}

fn contains(prefix: &Prefix, address: IpAddr) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
        IpAddr::V6(v6) => v6.to_bits(),
    };
    let differ = bits(prefix.address()) ^ bits(address);
    prefix.address().is_ipv4() == address.is_ipv4() && differ.leading_zeros() >= u32::from(prefix.bits())
}

#[test]
fn the_first_and_last_address_of_a_prefix_may_belong_to_another() {
    let prefixes = ["10.0.0.0/30", "10.0.0.0/32", "10.0.0.3/32", "0.0.0.0/0", "255.255.255.255/32", "::/0"];
    let entries = prefixes.iter().map(|prefix| prefix.parse().unwrap()).zip((0..).map(SiteIndex));
    let table = Table::build(entries).unwrap();
    let find = |address: &str| table.find(address.parse().unwrap()).map(|site| site.0);
    let found =
        ["10.0.0.0", "10.0.0.1", "10.0.0.3", "10.0.0.4", "255.255.255.255", "0.0.0.0", "::", "ffff::"].map(find);
    assert_eq!(found, [1, 0, 2, 3, 4, 3, 5, 5].map(Some));
}

proptest! {
    #![proptest_config(chance::fixed())]

    #[test]
    fn the_table_agrees_with_the_model(set in proptest::collection::btree_set(prefixes(), 0..40)) {
        let entries: Vec<_> = set.into_iter().zip((0..).map(SiteIndex)).collect();
        let table = Table::build(entries.iter().copied()).unwrap();
        for top in 0..=255u8 {
            for low in [0, u32::MAX >> 8, 77] {
                let v4 = IpAddr::V4(Ipv4Addr::from_bits((u32::from(top) << 24) | low));
                let v6 = IpAddr::V6(Ipv6Addr::from_bits((u128::from(top) << 120) | ((u128::MAX >> 8) * u128::from(low & 1))));
                for address in [v4, v6] {
                    let longest = entries.iter().filter(|(prefix, _)| contains(prefix, address)).max_by_key(|(prefix, _)| prefix.bits());
                    prop_assert_eq!(table.find(address), longest.map(|(_, site)| *site), "{}", address);
                }
            }
        }
    }

    #[test]
    fn bundles_survive_their_encoding(serial in any::<u64>(), set in proptest::collection::btree_set(prefixes(), 0..20)) {
        let mut bundle = Bundle { serial, ..network() };
        bundle.sites[0].prefixes = set.into_iter().collect();
        prop_assert_eq!(Bundle::parse(&bundle.to_bytes()), Ok(bundle));
    }
}
