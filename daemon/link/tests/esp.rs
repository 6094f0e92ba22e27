//! ESP judged from outside: packets are laid out by hand from RFC 4303, 4106 and 3948 and en- or decrypted by aws-lc-rs
//! directly; the crate's own `open` is not asked about its own `seal`.

mod chance;
mod packets;
mod provider;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use coloa_link::aead::Aead;
use coloa_link::keys::SaKeys;
use coloa_link::{Datagram, DropReason, Epoch, Limits, Open, Seal, Spi, esp};
use packets::{Tcp, udp};
use proptest::prelude::*;
use provider::AwsLc;
use std::time::Duration;

const KEY: [u8; 32] = [0x42; 32];
const SALT: [u8; 4] = [0xca, 0xfe, 0xba, 0xbe];
const SPI: u32 = 0x1122_3344;

fn keys() -> SaKeys {
    SaKeys::new(KEY, SALT, Spi::new(SPI).unwrap())
}

fn seal() -> Seal<AwsLc> {
    Seal::new(Duration::ZERO, Epoch(1), keys(), Limits::DEFAULT).unwrap()
}

fn open() -> Open<AwsLc> {
    Open::new(Duration::ZERO, Epoch(1), keys(), Limits::DEFAULT).unwrap()
}

/// Salt ‖ IV, and SPI ‖ 64-bit sequence number.
fn nonce_and_aad(sequence: u64) -> (Nonce, Vec<u8>) {
    let nonce = [&SALT[..], &sequence.to_be_bytes()].concat().try_into().unwrap();
    (Nonce::assume_unique_for_key(nonce), [&SPI.to_be_bytes()[..], &sequence.to_be_bytes()].concat())
}

fn gcm() -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &KEY).unwrap())
}

/// A datagram as any other implementation would send it: payload, padding and trailer are the caller's.
fn foreign(sequence: u64, plaintext: &[u8]) -> Vec<u8> {
    let (nonce, aad) = nonce_and_aad(sequence);
    let mut sealed = plaintext.to_vec();
    gcm().seal_in_place_append_tag(nonce, Aad::from(aad), &mut sealed).unwrap();
    [&SPI.to_be_bytes()[..], &(sequence as u32).to_be_bytes(), &sequence.to_be_bytes(), &sealed].concat()
}

fn red_packets() -> impl Strategy<Value = Vec<u8>> {
    (any::<bool>(), proptest::collection::vec(any::<u8>(), 0..1400)).prop_map(|(v6, payload)| {
        let (source, destination) = if v6 { ("fd00::1", "fd00::2") } else { ("10.1.0.1", "10.2.0.1") };
        udp(source.parse().unwrap(), destination.parse().unwrap(), (5000, 53), &payload)
    })
}

proptest! {
    #![proptest_config(chance::fixed())]

    #[test]
    fn a_sealed_packet_is_what_the_rfcs_say(packet in red_packets(), skipped in 0usize..3) {
        let (mut seal, mut out) = (seal(), vec![0; 2048]);
        for _ in 0..skipped {
            seal.seal(&packet, &mut out).unwrap();
        }
        let len = seal.seal(&packet, &mut out).unwrap();
        let (sequence, datagram) = (skipped as u64 + 1, &mut out[..len]);
        prop_assert_eq!(&datagram[..4], &SPI.to_be_bytes());
        prop_assert_eq!(&datagram[4..8], &(sequence as u32).to_be_bytes());
        prop_assert_eq!(&datagram[8..16], &sequence.to_be_bytes());
        let (nonce, aad) = nonce_and_aad(sequence);
        let plaintext = gcm().open_in_place(nonce, Aad::from(aad), &mut datagram[16..]).unwrap();
        let (body, trailer) = plaintext.split_at(packet.len());
        prop_assert_eq!(body, &packet[..]);
        let pad = trailer.len() - 2;
        prop_assert!(plaintext.len().is_multiple_of(4) && pad < 4);
        let mut expected: Vec<u8> = (1..=pad as u8).collect();
        expected.extend([pad as u8, if packet[0] >> 4 == 4 { 4 } else { 41 }]);
        prop_assert_eq!(trailer, &expected[..]);
    }

    #[test]
    fn a_foreign_packet_with_any_legal_padding_opens(packet in red_packets(), pad in 0u8..64, tfc in 0usize..40) {
        let next = if packet[0] >> 4 == 4 { 4 } else { 41 };
        let mut plaintext = [&packet[..], &vec![0; tfc]].concat();
        let pad = pad * 4 + (4 - (plaintext.len() + 2) % 4) as u8 % 4;
        plaintext.extend(1..=pad);
        plaintext.extend([pad, next]);
        let mut datagram = foreign(1, &plaintext);
        prop_assert_eq!(open().open(&mut datagram).unwrap(), &packet[..]);
    }

    #[test]
    fn every_flipped_bit_is_noticed(packet in red_packets(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let (mut seal, mut out) = (seal(), vec![0; 2048]);
        let len = seal.seal(&packet, &mut out).unwrap();
        let datagram = &mut out[..len];
        datagram[at.index(len)] ^= 1 << bit;
        let refused = open().open(datagram).unwrap_err();
        let expected = [DropReason::AuthenticationFailed, DropReason::UnknownSpi, DropReason::MalformedEsp, DropReason::TooOld];
        prop_assert!(expected.contains(&refused), "{refused:?}");
    }

    #[test]
    fn every_truncation_is_noticed(packet in red_packets(), at in any::<prop::sample::Index>()) {
        let (mut seal, mut out) = (seal(), vec![0; 2048]);
        let len = seal.seal(&packet, &mut out).unwrap();
        prop_assert!(open().open(&mut out[..at.index(len)]).is_err());
    }
}

/// The AES-256 case of draft-mcgrew-gcm-test-01: an ESP packet without ESN, through the provider that the tests use.
#[test]
fn the_provider_passes_the_published_esp_vector() {
    let unhex = |text: &str| -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    };
    let key = unhex("abbccddef00112233445566778899aababbccddef00112233445566778899aab").try_into().unwrap();
    let nonce = unhex("11223344 0102030405060708").try_into().unwrap();
    let plaintext =
        "4500003069a6400080062690c0a801029389155e0a9e008b2dc57ee0000000007002400020bf0000020405b401010402 01020201";
    let sealed =
        "ff425c9b724599df7a3bcd510194e00d6a78107f1b0b1cbf06efae9d65a5d763748a637985771d347f0545659f14e99def842d8e";
    let mut buffer = unhex(plaintext);
    let tag = AwsLc::from_key(&key).unwrap().seal_in_place(&nonce, &unhex("4a2cbfe3 00000002"), &mut buffer).unwrap();
    assert_eq!(buffer, unhex(sealed));
    assert_eq!(tag.to_vec(), unhex("b335f4eecfdbf831824b4c4915956c96"));
}

#[test]
fn a_foreign_sender_may_cross_the_32_bit_boundary() {
    let packet = Tcp { payload: b"across", ..Tcp::default() }.build();
    let mut open = open();
    // The receiver has to be led there: a jump of less than 2^31 is always taken as forward.
    for sequence in [1, 0x7fff_0000, 0xffff_fff0, 0x1_0000_0003, 0xffff_ffff] {
        let mut datagram = foreign(sequence, &padded(&packet));
        assert_eq!(open.open(&mut datagram).map(|inner| inner.to_vec()), Ok(packet.clone()), "{sequence:#x}");
    }
    assert_eq!(open.open(&mut foreign(0xffff_ffff, &padded(&packet))), Err(DropReason::Replayed));
}

fn padded(packet: &[u8]) -> Vec<u8> {
    let pad = (4 - (packet.len() + 2) % 4) % 4;
    [packet, &[1, 2, 3][..pad], &[pad as u8, 4]].concat()
}

#[test]
fn an_authentic_but_senseless_payload_is_refused_by_name() {
    let packet = Tcp { payload: b"x", ..Tcp::default() }.build();
    let body = |trailer: &[u8]| {
        [&packet[..packet.len() - 1], &[0; 4][..(4 - (packet.len() - 1 + trailer.len()) % 4) % 4], trailer].concat()
    };
    let cases = [
        (body(&[9, 9, 2, 4]), DropReason::MalformedTrailer),
        (body(&[1, 255, 4]), DropReason::MalformedTrailer),
        (body(&[0, 17]), DropReason::MalformedTrailer),
        (vec![1, 2, 2, 59], DropReason::Dummy),
        (vec![1, 2, 2, 4], DropReason::MalformedIp),
        (body(&[0, 41]), DropReason::MalformedIp),
    ];
    for (sequence, (plaintext, reason)) in (1..).zip(cases) {
        assert_eq!(open().open(&mut foreign(sequence, &plaintext)), Err(reason), "case {sequence}");
    }
}

#[test]
fn an_sa_opens_nothing_for_another_spi() {
    let other = SaKeys::new(KEY, SALT, Spi::new(SPI + 1).unwrap());
    let mut other = Open::<AwsLc>::new(Duration::ZERO, Epoch(1), other, Limits::DEFAULT).unwrap();
    let mut datagram = foreign(1, &padded(&Tcp::default().build()));
    assert_eq!(other.open(&mut datagram), Err(DropReason::UnknownSpi));
}

#[test]
fn the_first_sequence_number_is_one() {
    let packet = Tcp::default().build();
    assert_eq!(open().open(&mut foreign(0, &padded(&packet))), Err(DropReason::TooOld));
}

#[test]
fn kinds_of_datagrams_are_told_apart() {
    assert_eq!(Datagram::parse(&[0xff]), Ok(Datagram::Keepalive));
    assert_eq!(Datagram::parse(&[0, 0, 0, 0, 7]), Ok(Datagram::NonEsp(&[7])));
    assert_eq!(Datagram::parse(&[0, 0, 0, 255, 1, 2]), Err(DropReason::UnknownSpi));
    assert_eq!(Datagram::parse(&[0, 0, 1, 0, 1, 2]), Ok(Datagram::Esp(Spi::new(256).unwrap())));
    assert_eq!(Datagram::parse(&[0xff, 0xff]), Err(DropReason::MalformedEsp));
    assert_eq!(Datagram::parse(&[]), Err(DropReason::MalformedEsp));
}

#[test]
fn sizes_fit_the_path() {
    assert_eq!((esp::inner_mtu(1500, 20), esp::inner_mtu(1500, 40)), (1438, 1418));
    for inner in 0..3000 {
        let len = esp::sealed_len(inner);
        assert!(len.is_multiple_of(4) && len - inner <= esp::MAX_OVERHEAD);
    }
    for path in 576..1600 {
        let inner = esp::inner_mtu(path, 20);
        assert!(20 + 8 + esp::sealed_len(inner) <= path && 20 + 8 + esp::sealed_len(inner + 1) > path);
    }
}

#[test]
fn a_small_buffer_is_refused_and_costs_no_sequence_number() {
    let (packet, mut seal) = (Tcp::default().build(), seal());
    let len = esp::sealed_len(packet.len());
    assert_eq!(seal.seal(&packet, &mut vec![0; len - 1]), Err(DropReason::BufferTooSmall));
    assert_eq!(seal.seal(&[0x15; 40], &mut vec![0; 2048]), Err(DropReason::MalformedIp));
    assert_eq!(seal.seal(&[], &mut vec![0; 2048]), Err(DropReason::MalformedIp));
    assert_eq!(seal.used(), (0, 0));
    assert_eq!(seal.seal(&packet, &mut vec![0; len]), Ok(len));
}

// R28, R12: the SA itself stops, whether or not anybody polls.
#[test]
fn a_spent_sa_seals_nothing_more() {
    let (packet, mut out) = (Tcp::default().build(), vec![0; 2048]);
    let of = |limits| Seal::<AwsLc>::new(Duration::ZERO, Epoch(1), keys(), limits).unwrap();
    let mut by_packets = of(Limits { hard_packets: 3, ..Limits::DEFAULT });
    let mut by_bytes = of(Limits { hard_bytes: 3 * packet.len() as u64, ..Limits::DEFAULT });
    for seal in [&mut by_packets, &mut by_bytes] {
        let sealed: Vec<_> = (0..5).map(|_| seal.seal(&packet, &mut out).is_ok()).collect();
        assert_eq!(sealed, [true, true, true, false, false]);
        assert_eq!(seal.seal(&packet, &mut out), Err(DropReason::HardLimit));
        assert_eq!(seal.used(), (3, 3 * packet.len() as u64));
    }
}
