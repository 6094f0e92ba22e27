//! The black path in virtual time: where the peer is, whether it lives, and what fits.

mod chance;
mod packets;
mod provider;

use coloa_link::keys::SaKeys;
use coloa_link::path::{Action, FLOOR, Kind, MESSAGE_DATAGRAM, Message, Path, Settings, Token};
use coloa_link::{DropReason, Epoch, Inner, Limits, Open, Seal, Spi, esp};
use proptest::prelude::*;
use provider::AwsLc;
use std::net::SocketAddr;
use std::time::Duration;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn home() -> SocketAddr {
    at("192.0.2.2:4500")
}

fn away() -> SocketAddr {
    at("198.51.100.7:1024")
}

fn settings() -> Settings {
    Settings { path_mtu: 1500, inner_mtu: 1438, local: at("192.0.2.1:4500"), behind_nat: false }
}

/// A path to a peer at home, with tokens that count up.
struct Near {
    path: Path,
    drawn: u8,
    seen: SocketAddr,
}

impl Near {
    fn new(settings: Settings) -> Self {
        let mut near = Self { path: Path::new(settings), drawn: 0, seen: settings.local };
        near.path.hint(Duration::ZERO, home());
        assert_eq!(near.poll(Duration::ZERO), Some(Action::Moved(home())));
        near
    }

    fn poll(&mut self, now: Duration) -> Option<Action> {
        let drawn = &mut self.drawn;
        self.path.poll(now, || {
            *drawn += 1;
            [*drawn; 16]
        })
    }

    fn actions(&mut self, now: Duration) -> Vec<Action> {
        std::iter::from_fn(|| self.poll(now)).collect()
    }

    /// The challenges that are due.
    fn challenges(&mut self, now: Duration) -> Vec<(SocketAddr, Token)> {
        let challenge = |action: Action| match action {
            Action::Send { to, message: Message { kind: Kind::Challenge, token, .. }, datagram } => {
                assert_eq!(datagram, MESSAGE_DATAGRAM);
                Some((to, token))
            }
            _ => None,
        };
        self.actions(now).into_iter().filter_map(challenge).collect()
    }

    fn hears(&mut self, now: Duration, from: SocketAddr, kind: Kind, token: Token) {
        self.path.message(now, from, &Message { kind, token, seen: self.seen });
    }
}

fn addresses() -> impl Strategy<Value = SocketAddr> {
    let v6 = any::<u128>().prop_map(|bits| std::net::Ipv6Addr::from(bits).to_canonical());
    (prop_oneof![any::<u32>().prop_map(|bits| std::net::Ipv4Addr::from(bits).into()), v6], any::<u16>())
        .prop_map(|(ip, port)| SocketAddr::new(ip, port))
}

proptest! {
    #![proptest_config(chance::fixed())]

    #[test]
    fn a_message_travels_in_a_dummy_that_others_drop(token: Token, seen in addresses(), kind in 0usize..4, size in 0usize..400) {
        let kind = [Kind::Challenge, Kind::Response, Kind::Probe, Kind::ProbeAck][kind];
        let message = Message { kind, token, seen };
        let keys = || SaKeys::new([1; 32], [2; 4], Spi::new(5000).unwrap());
        let mut seal = Seal::<AwsLc>::new(Duration::ZERO, Epoch(1), keys(), Limits::DEFAULT).unwrap();
        let open = || Open::<AwsLc>::new(Duration::ZERO, Epoch(1), keys(), Limits::DEFAULT).unwrap();
        let (mut out, size) = (vec![0xee; 2000], size * 4);
        let len = seal.seal_message(&message, size, &mut out).unwrap();
        prop_assert_eq!(len, size.max(MESSAGE_DATAGRAM));
        let mut copy = out.clone();
        prop_assert_eq!(open().open(&mut copy[..len]), Err(DropReason::Dummy));
        let mut receiver = open();
        let opened = receiver.receive(&mut out[..len]).unwrap();
        prop_assert_eq!((opened.inner, opened.advanced), (Inner::Message(message), true));
    }

    #[test]
    fn no_payload_makes_parsing_panic_and_only_ours_is_a_message(payload in proptest::collection::vec(any::<u8>(), 0..80)) {
        prop_assert_eq!(Message::parse(&payload), None);
        let mut near = [&b"clp1"[..], &payload].concat();
        if near.len() > 4 {
            near[4] %= 6;
        }
        if let Some(message) = Message::parse(&near) {
            prop_assert_eq!(&message.encode()[..24], &near[..24]);
        }
    }

    /// RFC 8899: whatever the path carries, the search ends within a few octets of it and never above.
    #[test]
    fn the_search_finds_what_the_path_carries(carries in 1100usize..1700, v6 in any::<bool>()) {
        let mut near = Near::new(settings());
        if v6 {
            near = Near { path: Path::new(Settings { local: at("[fd00::1]:4500"), inner_mtu: 9000, ..settings() }), ..near };
            near.path.hint(Duration::ZERO, at("[fd00::2]:4500"));
        }
        let outer = if v6 { 48 } else { 28 };
        drive(&mut near, 0..60, outer, |_| carries);
        let found = near.path.mtu() + esp::OVERHEAD + outer;
        let best = carries.clamp(FLOOR, 1500);
        prop_assert!(found <= best, "{found} of {best}");
        prop_assert!(found + 12 >= best, "{found} of {best}");
    }
}

/// Lets a peer answer every probe that fits what the path carries in that second, while data flows both ways.
fn drive(
    near: &mut Near,
    run: std::ops::Range<u64>,
    outer: usize,
    carries: impl Fn(u64) -> usize,
) -> Vec<(u64, usize)> {
    let mut sizes = Vec::new();
    for second in run {
        let now = seconds(second);
        near.path.sent(now);
        near.path.heard(now);
        while let Some(action) = near.poll(now) {
            match action {
                Action::Send { to, message: Message { kind: Kind::Probe, token, .. }, datagram }
                    if datagram + outer <= carries(second) =>
                {
                    near.hears(now + Duration::from_millis(30), to, Kind::ProbeAck, token);
                }
                Action::Mtu(size) => sizes.push((second, size)),
                _ => {}
            }
        }
    }
    sizes
}

#[test]
fn an_open_path_is_known_with_the_first_answer() {
    let mut near = Near::new(settings());
    assert!(near.path.mtu() >= 1280, "IPv6 passes before");
    assert_eq!(drive(&mut near, 0..2, 28, |_| 1500), [(0, 1438)]);
}

#[test]
fn a_path_that_becomes_a_black_hole_is_noticed_while_traffic_flows() {
    let mut near = Near::new(settings());
    drive(&mut near, 0..100, 28, |_| 1500);
    let sizes = drive(&mut near, 100..200, 28, |_| 1400);
    assert!(sizes[0].0 < 118, "within the pause between confirmations and three tries: {sizes:?}");
    let last = sizes.last().unwrap().1;
    assert!((1322..=1338).contains(&last), "1400 octets carry 1338: {sizes:?}");
    // The better path is found again, though not at once.
    let sizes = drive(&mut near, 200..900, 28, |_| 1500);
    assert_eq!(sizes.last().unwrap().1, 1438);
}

#[test]
fn a_dead_path_is_not_taken_for_a_narrow_one() {
    let mut near = Near::new(settings());
    drive(&mut near, 0..50, 28, |_| 1500);
    for second in 50..500 {
        near.path.sent(seconds(second));
        assert!(!near.actions(seconds(second)).iter().any(|action| matches!(action, Action::Mtu(_))));
    }
    assert_eq!(near.path.mtu(), 1438);
    assert_eq!(drive(&mut near, 500..600, 28, |_| 1500), []);
}

#[test]
fn an_idle_path_is_left_alone() {
    let mut near = Near::new(settings());
    drive(&mut near, 0..50, 28, |_| 1500);
    near.hears(seconds(50), home(), Kind::Challenge, [0; 16]);
    let later: Vec<_> = (62..2000).flat_map(|second| near.actions(seconds(second))).collect();
    assert_eq!(later.len(), 1, "one answer, no probe, and no keepalive where there is no NAT: {later:?}");
}

#[test]
fn a_new_address_is_used_after_it_has_answered_and_not_before() {
    let mut near = Near::new(settings());
    near.actions(seconds(1));
    near.path.strange(seconds(2), away(), 1400);
    let challenges = near.challenges(seconds(2));
    let [(to, token)] = challenges[..] else { panic!("one challenge, not {challenges:?}") };
    assert_eq!((to, near.path.address()), (away(), Some(home())), "the old address stays in use");
    for (from, token) in [(home(), token), (at("198.51.100.7:1025"), token), (away(), [0xee; 16])] {
        near.hears(seconds(2), from, Kind::Response, token);
        assert_eq!(near.path.address(), Some(home()));
    }
    near.hears(seconds(3), away(), Kind::Response, token);
    assert_eq!(near.path.address(), Some(away()));
    let actions = near.actions(seconds(3));
    assert_eq!(actions[0], Action::Moved(away()));
    assert!(matches!(actions[1], Action::Mtu(_)), "another path, another size: {actions:?}");
    near.hears(seconds(3), home(), Kind::Response, token);
    assert_eq!(near.path.address(), Some(away()), "a response counts once");
}

#[test]
fn challenges_are_few_and_never_more_than_what_came() {
    let mut near = Near::new(settings());
    near.actions(seconds(1));
    near.path.strange(seconds(2), away(), MESSAGE_DATAGRAM - 1);
    assert_eq!(near.challenges(seconds(2)), [], "too little came from there");
    near.path.strange(seconds(2), away(), MESSAGE_DATAGRAM);
    assert_eq!(near.challenges(seconds(2)).len(), 1);
    assert_eq!(near.challenges(seconds(4)), [], "one packet, one challenge");
    // A thousand packets within a second, and other addresses meanwhile.
    let mut sent = 0;
    for step in 0..1000 {
        let now = seconds(4) + Duration::from_millis(step);
        near.path.strange(now, away(), 1400);
        near.path.strange(now, at("203.0.113.9:9"), 1400);
        let challenges = near.challenges(now);
        assert!(challenges.iter().all(|(to, _)| *to == away()), "one outstanding: {challenges:?}");
        sent += challenges.len();
    }
    assert_eq!(sent, 1);
    near.path.strange(seconds(9), at("203.0.113.9:9"), 1400);
    assert_eq!(near.challenges(seconds(9)).len(), 1, "who does not answer gives way");
}

#[test]
fn an_address_from_the_control_channel_is_challenged_three_times() {
    let mut near = Near::new(settings());
    near.actions(seconds(1));
    near.path.hint(seconds(2), away());
    let sent: Vec<_> = (2..20).flat_map(|second| near.challenges(seconds(second))).collect();
    assert_eq!(sent.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [away(); 3]);
    assert_eq!(near.path.address(), Some(home()));
}

#[test]
fn silence_is_told_and_asked_about_and_ends_with_the_first_word() {
    let mut near = Near::new(settings());
    drive(&mut near, 0..20, 28, |_| 1500);
    let mut seen = Vec::new();
    for second in 20..120 {
        near.path.sent(seconds(second));
        seen.extend(near.actions(seconds(second)).into_iter().map(|action| (second, action)));
    }
    let silent: Vec<_> = seen.iter().filter(|(_, action)| *action == Action::Silent).map(|(at, _)| *at).collect();
    assert_eq!(silent, [30]);
    assert_eq!(near.path.silent_since(), Some(seconds(19)), "the peer was heard then");
    let small =
        |(at, action): &(u64, Action)| matches!(action, Action::Send { datagram: MESSAGE_DATAGRAM, .. }).then_some(*at);
    let asked: Vec<_> = seen.iter().filter_map(small).collect();
    assert!(asked[0] <= 25 && asked.len() <= 12, "ever more slowly: {asked:?}");
    near.path.heard(seconds(121));
    assert_eq!(near.path.silent_since(), None);
    assert_eq!(near.actions(seconds(121))[0], Action::Heard);
}

#[test]
fn a_silent_peer_is_sought_where_the_control_channel_said() {
    let mut near = Near::new(settings());
    drive(&mut near, 0..20, 28, |_| 1500);
    near.path.strange(seconds(20), away(), 1400);
    let [(_, token)] = near.challenges(seconds(20))[..] else { panic!("one challenge") };
    near.hears(seconds(20), away(), Kind::Response, token);
    let mut asked = Vec::new();
    for second in 20..60 {
        near.path.sent(seconds(second));
        asked.extend(near.challenges(seconds(second)));
    }
    let home_again = asked.iter().filter(|(to, _)| *to == home()).count();
    assert!((1..=6).contains(&home_again) && home_again == asked.len(), "{asked:?}");
    near.hears(seconds(60), home(), Kind::Response, asked.last().unwrap().1);
    assert_eq!(near.path.address(), Some(home()));
}

#[test]
fn without_sending_there_is_no_silence() {
    let mut near = Near::new(settings());
    near.path.heard(seconds(1));
    for second in 1..1000 {
        assert!(!near.actions(seconds(second)).contains(&Action::Silent));
    }
    assert_eq!(near.path.silent_since(), None);
}

#[test]
fn a_nat_is_found_and_kept_open() {
    let keepalives = |near: &mut Near, seen: SocketAddr| {
        near.seen = seen;
        drive(near, 0..3, 28, |_| 1500);
        let all = (4..105).flat_map(|second| near.actions(seconds(second)));
        let kept = all.filter(|action| *action == Action::Keepalive(home())).count();
        assert!(kept == 0 || (4..=5).contains(&kept), "every 20 s, {kept}");
        (kept > 0, near.path.is_behind_nat())
    };
    let local = settings().local;
    assert_eq!(keepalives(&mut Near::new(settings()), local), (false, Some(false)));
    assert_eq!(keepalives(&mut Near::new(settings()), at("203.0.113.1:4500")), (true, Some(true)));
    assert_eq!(keepalives(&mut Near::new(settings()), at("192.0.2.1:61000")), (true, Some(true)));
    let told = Settings { behind_nat: true, ..settings() };
    assert_eq!(keepalives(&mut Near::new(told), local), (true, Some(true)));
    let anywhere = Settings { local: at("0.0.0.0:4500"), ..settings() };
    assert_eq!(keepalives(&mut Near::new(anywhere), at("203.0.113.1:4500")), (false, Some(false)));
}

#[test]
fn a_path_that_never_answers_is_tried_ever_more_slowly_and_kept_open() {
    let mut near = Near::new(settings());
    let all: Vec<_> = (0..1000).flat_map(|second| near.actions(seconds(second))).collect();
    let keepalives = all.iter().filter(|action| **action == Action::Keepalive(home())).count();
    assert!(all.len() - keepalives < 60 && keepalives > 20, "{} and {keepalives}", all.len());
}

#[test]
fn questions_about_quality_survive_and_garbage_is_cover_traffic() {
    use coloa_link::measure::{LEN, Measure, Tally};
    let tally = Tally { sent: 1, came: u64::MAX, octets: 1 << 40, micros: 7 };
    for measure in [Measure::Ask([9; 16]), Measure::Tally([1; 16], tally)] {
        let octets = measure.encode();
        assert_eq!(Measure::parse(&[&octets[..], &[0; 9]].concat()), Some(measure), "padding is ignored");
        for length in 0..LEN {
            assert_eq!(Measure::parse(&octets[..length]), None, "{length}");
        }
        for (at, value) in [(0, b'x'), (3, b'2'), (4, 3), (5, 1)] {
            let mut other = octets;
            other[at] = value;
            assert_eq!(Measure::parse(&other), None, "{at}");
        }
    }
}
