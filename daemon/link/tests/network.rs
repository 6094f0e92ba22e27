//! Alice and Bob over a network that loses, duplicates, delays and reorders, with Eve on it: she records everything, replays
//! it, flips bits, cuts and invents. Time is virtual, chance is seeded; a run repeats exactly.

mod packets;
mod provider;
mod simulation;

use coloa_link::keys::SaKeys;
use coloa_link::limits::STAGED;
use coloa_link::{DropReason, Epoch, Event, Inbound, InstallError, Limits, Link, Outbound, Spi};
use provider::AwsLc;
use simulation::{Network, Side, World, keys_of, ms};
use std::time::Duration;

const CALM: Network = Network { loss: 0, duplication: 0, jitter_ms: 0, eve: false };
const ROUGH: Network = Network { loss: 0, duplication: 20, jitter_ms: 40, eve: true };

/// Small limits, so that a run of seconds sees many epochs.
fn limits() -> Limits {
    Limits { soft_packets: 400, hard_packets: 4000, drain: ms(500), ..Limits::DEFAULT }
}

#[test]
fn everything_arrives_once_and_unaltered_over_a_calm_network() {
    let mut world = World::new(CALM, limits(), 1);
    world.rekey();
    world.run(2000);
    assert_eq!(world.delivered_to(Side::Bob), world.sent_by(Side::Alice));
    assert_eq!(world.delivered_to(Side::Alice), world.sent_by(Side::Bob));
}

#[test]
fn nothing_is_lost_doubled_or_altered_by_reordering_rekeys_and_eve() {
    for seed in 1..6 {
        let mut world = World::new(ROUGH, limits(), seed);
        world.rekey();
        world.run(4000);
        assert!(world.epoch >= 8, "several rekeys under traffic, not {}", world.epoch);
        assert_eq!(world.delivered_to(Side::Bob), world.sent_by(Side::Alice), "seed {seed}");
        assert_eq!(world.delivered_to(Side::Alice), world.sent_by(Side::Bob), "seed {seed}");
        let drops = *world.link(Side::Bob).inbound().counters();
        assert!(drops.of(DropReason::Replayed) > 0 && drops.of(DropReason::AuthenticationFailed) > 0);
    }
}

#[test]
fn over_a_lossy_network_what_arrives_was_sent_and_arrives_once() {
    let mut world = World::new(Network { loss: 10, ..ROUGH }, limits(), 7);
    world.rekey();
    world.run(4000);
    let (sent, delivered) = (world.sent_by(Side::Alice), world.delivered_to(Side::Bob));
    assert!(delivered.iter().all(|packet| sent.contains(packet)), "nothing but what Alice sent");
    let share = delivered.len() as f64 / sent.len() as f64;
    assert!((0.85..0.95).contains(&share), "the network loses a tenth, the rekeys nothing: {share}");
}

/// R29: within the stated time.
#[test]
fn old_keys_are_gone_after_the_drain_and_a_recorded_packet_opens_no_more() {
    let mut world = World::new(CALM, limits(), 3);
    world.rekey();
    world.run(50);
    let old = world.recorded.clone();
    world.rekey();
    world.run(50);
    assert_eq!(world.link(Side::Bob).inbound().spis().count(), 2, "the old epoch drains");
    world.rekeys_allowed = false;
    world.run(1000);
    for side in [Side::Alice, Side::Bob] {
        assert_eq!(world.link(side).inbound().spis().count(), 1, "one epoch is left");
    }
    assert!(world.events.contains(&(Side::Bob, Event::Gone(Epoch(1)))));
    for (_, mut datagram) in old.into_iter().filter(|(to, _)| *to == Side::Bob) {
        assert_eq!(world.link(Side::Bob).open(&mut datagram), Err(DropReason::UnknownSpi));
    }
}

/// R26.
#[test]
fn without_an_sa_nothing_leaves_and_nothing_enters() {
    let mut world = World::new(CALM, limits(), 4);
    world.run(200);
    assert!(world.recorded.is_empty() && world.delivered_to(Side::Bob).is_empty());
    assert_eq!(world.refused, vec![DropReason::NoSa; world.refused.len()]);
    assert!(!world.refused.is_empty());
}

#[test]
fn a_staged_epoch_that_nobody_confirms_is_given_up() {
    for (wait, sends) in [(STAGED - ms(1), true), (STAGED, false)] {
        let mut outbound = Outbound::<AwsLc>::blocked(limits());
        outbound.install(ms(0), Epoch(1), keys_of(1, Side::Alice).split().0).unwrap();
        assert_eq!(outbound.next_deadline(), Some(STAGED));
        assert_eq!(outbound.poll(wait), None);
        assert_eq!(outbound.activate(Epoch(1)), sends, "after {wait:?}");
    }
}

#[test]
fn a_staged_epoch_sends_nothing_before_the_peer_is_known_to_receive_on_it() {
    let mut link = Link::<AwsLc>::blocked(limits());
    let (mut out, packet) = ([0; 2048], packets::Tcp::default().build());
    link.install(ms(0), keys_of(1, Side::Alice)).unwrap();
    assert_eq!(link.seal(&packet, &mut out), Err(DropReason::NoSa));
    assert_eq!(out, [0; 2048], "not even a trace in the buffer");
    assert!(!link.activate(ms(1), Epoch(0)), "that epoch is not there");
    assert!(link.activate(ms(1), Epoch(1)));
    assert!(link.seal(&packet, &mut out).is_ok());
}

#[test]
fn a_peer_that_is_ready_before_us_is_not_forgotten() {
    let mut outbound = Outbound::<AwsLc>::blocked(limits());
    let install = |outbound: &mut Outbound<AwsLc>, epoch| {
        outbound.install(ms(0), Epoch(epoch), keys_of(epoch, Side::Alice).split().0)
    };
    assert!(!outbound.activate(Epoch(2)), "nothing is installed");
    install(&mut outbound, 1).unwrap();
    assert!(outbound.seal().is_err(), "it was not said of this epoch");
    install(&mut outbound, 2).unwrap();
    assert_eq!(outbound.epoch(), Some(Epoch(2)));
}

#[test]
fn an_epoch_is_installed_once_and_never_backwards() {
    let mut link = Link::<AwsLc>::blocked(limits());
    link.install(ms(0), keys_of(2, Side::Alice)).unwrap();
    assert_eq!(link.install(ms(0), keys_of(2, Side::Alice)), Err(InstallError::StaleEpoch));
    assert_eq!(link.install(ms(0), keys_of(1, Side::Alice)), Err(InstallError::StaleEpoch));
    link.block();
    assert_eq!(link.install(ms(0), keys_of(2, Side::Alice)), Err(InstallError::StaleEpoch), "not after a block either");
}

#[test]
fn two_epochs_never_share_an_spi() {
    let mut inbound = Inbound::<AwsLc>::blocked(limits());
    let spi = Spi::new(4242).unwrap();
    let keys = |number| SaKeys::new([number; 32], [number; 4], spi);
    inbound.install(ms(0), Epoch(1), keys(1)).unwrap();
    assert_eq!(inbound.install(ms(0), Epoch(2), keys(2)), Err(InstallError::SpiInUse));
    assert_eq!((inbound.epoch(), inbound.spis().collect::<Vec<_>>()), (Some(Epoch(1)), vec![spi]));
}

/// R26, R28.
#[test]
fn a_hard_limit_without_successor_blocks() {
    let mut world = World::new(CALM, Limits { soft_packets: 50, hard_packets: 100, ..limits() }, 5);
    world.rekeys_allowed = false;
    world.rekey();
    world.run(500);
    assert_eq!(world.sent_by(Side::Alice).len(), 100, "not one more than the limit");
    assert!(world.events.contains(&(Side::Alice, Event::RekeyWanted(Epoch(1)))), "asked in time");
    assert!(world.events.contains(&(Side::Alice, Event::Blocked(Epoch(1)))));
    assert!(world.refused.contains(&DropReason::NoSa));
}

#[test]
fn age_alone_asks_for_a_rekey_and_then_blocks() {
    let (soft, hard) = (Limits::DEFAULT.soft_age, Limits::DEFAULT.hard_age);
    let mut link = Link::<AwsLc>::blocked(Limits::DEFAULT);
    assert_eq!((link.next_deadline(), link.poll(hard)), (None, None));
    link.install(ms(0), keys_of(1, Side::Alice)).unwrap();
    link.activate(ms(0), Epoch(1));
    assert_eq!(link.next_deadline(), Some(soft));
    assert_eq!(link.poll(soft - ms(1)), None);
    assert_eq!((link.poll(soft), link.poll(soft)), (Some(Event::RekeyWanted(Epoch(1))), None));
    assert_eq!(link.next_deadline(), Some(hard));
    let events: Vec<_> = std::iter::from_fn(|| link.poll(hard)).collect();
    assert_eq!(events, [Event::Gone(Epoch(1)), Event::Blocked(Epoch(1))]);
    assert_eq!((link.next_deadline(), link.seal(&[0x45; 40], &mut [0; 99])), (None, Err(DropReason::NoSa)));
}

#[test]
fn negotiations_that_break_off_do_not_push_out_the_epoch_in_use() {
    let (mut alice, mut bob) = (Link::<AwsLc>::blocked(limits()), Link::<AwsLc>::blocked(limits()));
    let (mut out, packet) = ([0; 2048], packets::Tcp::default().build());
    for (link, side) in [(&mut alice, Side::Alice), (&mut bob, Side::Bob)] {
        link.install(ms(0), keys_of(1, side)).unwrap();
        link.activate(ms(0), Epoch(1));
    }
    for broken_off in 2..20 {
        let len = alice.seal(&packet, &mut out).unwrap();
        assert_eq!(bob.open(&mut out[..len]).map(|inner| inner.to_vec()), Ok(packet.clone()), "before {broken_off}");
        while bob.poll(ms(1)).is_some() {}
        // Somebody resets each control connection between Bob's installation and Alice's.
        bob.install(ms(1), keys_of(broken_off, Side::Bob)).unwrap();
    }
    assert!(bob.inbound().spis().count() <= 3);
}

#[test]
fn an_idle_link_switches_on_a_dummy_packet() {
    let (mut alice, mut bob) = (Link::<AwsLc>::blocked(limits()), Link::<AwsLc>::blocked(limits()));
    alice.install(Duration::ZERO, keys_of(1, Side::Alice)).unwrap();
    bob.install(Duration::ZERO, keys_of(1, Side::Bob)).unwrap();
    alice.activate(ms(1), Epoch(1));
    let mut out = [0; 64];
    let len = alice.outbound().seal().unwrap().seal_dummy(&mut out).unwrap();
    assert_eq!(bob.open(&mut out[..len]), Err(DropReason::Dummy));
    assert_eq!(bob.poll(ms(2)), Some(Event::Switched(Epoch(1))));
}

/// R31.
#[test]
fn a_revoked_peer_is_cut_off_at_once() {
    let mut world = World::new(CALM, limits(), 6);
    world.rekey();
    world.run(50);
    world.link(Side::Alice).block();
    let (sent, delivered) = (world.sent_by(Side::Alice).len(), world.delivered_to(Side::Alice).len());
    world.rekeys_allowed = false;
    world.run(50);
    assert_eq!((world.sent_by(Side::Alice).len(), world.delivered_to(Side::Alice).len()), (sent, delivered));
}
