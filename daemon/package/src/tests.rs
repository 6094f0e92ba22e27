//! R32: what the code opens, what it does not, and that no octet can change unseen.

use super::*;
use proptest::prelude::*;

fn code() -> Code {
    Code::new([0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 0x0f, 0xff])
}

fn package() -> (Package, Body, Keys) {
    let serial = [7; SERIAL_LEN];
    let keys = Keys::derive(&code(), &serial).expect("keys");
    let header = Header {
        suite: SUITE,
        serial,
        site: "hue".into(),
        organ: "Toà án".into(),
        from: 100,
        until: 200,
        issuer: "CN=Cấp phát".into(),
        certificate: vec![1, 2, 3].into(),
        contents: vec!["link.toml".into()],
    };
    let items = vec![Item { name: "link.toml".into(), octets: b"x = 1".to_vec().into() }];
    let body = Body { items, point: vec![4; 97].into() };
    let mut package = seal(header, vec![9; 40], &body, &keys).expect("sealed");
    package.signers = vec![vec![0x30].into()];
    package.signature = vec![0x30, 0x00].into();
    (package, body, keys)
}

#[test]
fn the_right_code_opens_and_no_other_does() {
    let (package, body, keys) = package();
    let read = Package::parse(&package.to_bytes().expect("bytes")).expect("parses");
    assert_eq!(read.open(&keys), Ok(body));
    let other = Keys::derive(&Code::new([1; CODE_LEN]), &package.header.serial).expect("keys");
    assert_eq!(read.open(&other), Err(Error::Code));
    let elsewhere = Keys::derive(&code(), &[8; SERIAL_LEN]).expect("keys");
    assert_eq!(read.open(&elsewhere), Err(Error::Code), "a code is for one serial");
}

/// Whatever octet changes, either the file is no package, or what is signed changed, or the signature itself did.
#[test]
fn every_flipped_octet_is_seen() {
    let (package, _, _) = package();
    let (octets, message) = (package.to_bytes().expect("bytes"), package.message().expect("message"));
    for at in 0..octets.len() {
        let mut changed = octets.clone();
        changed[at] ^= 0x10;
        if let Ok(read) = Package::parse(&changed) {
            let same = read.message().expect("message") == message && read.signature == package.signature;
            assert!(!same, "octet {at}");
        }
    }
}

#[test]
fn header_and_wrapped_key_cannot_be_exchanged() {
    let (package, _, keys) = package();
    let mut late = package.clone();
    late.header.until = 300;
    assert_eq!(late.open(&keys), Err(Error::Code));
    let mut foreign = package;
    foreign.wrapped = vec![8; 40].into();
    assert_eq!(foreign.open(&keys), Err(Error::Code));
}

#[test]
fn names_that_leave_the_folder_are_refused() {
    for name in ["../x", "/etc/x", ".x", "", "a/b", "a\0b"] {
        assert!(!is_plain_name(name), "{name:?}");
    }
    assert!(is_plain_name("link.toml"));
}

#[test]
fn a_code_is_read_as_a_clerk_types_it() {
    let text = code().text();
    assert_eq!(text.len(), 21);
    assert_eq!(Code::parse(&text.to_lowercase().replace('-', " ")), Ok(code()));
    assert_eq!(Code::parse(&text.replace('0', "o").replace('1', "l")), Ok(code()));
    for at in (0..text.len()).filter(|at| text.as_bytes()[*at] != b'-') {
        let mut typed = text.clone().into_bytes();
        typed[at] = if typed[at] == b'Z' { b'Y' } else { b'Z' };
        let typed = String::from_utf8(typed).expect("letters");
        assert_eq!(Code::parse(&typed), Err(Error::Mistyped), "{typed}");
    }
    assert!(!format!("{:?}", code()).contains(&text));
}

#[test]
fn a_receipt_is_read_as_it_was_written() {
    let receipt = Receipt {
        package: [7; SERIAL_LEN],
        digest: [9; 32],
        opened: 1_795_000_000,
        device: "commune-17".into(),
        signature: vec![0x30, 0],
    };
    let octets = receipt.to_bytes();
    assert_eq!(Receipt::parse(&octets), Ok(receipt.clone()));
    assert_eq!(Receipt::parse(&[&octets[..], b"x"].concat()), Err(Error::Receipt));
    assert_eq!(Receipt::parse(&octets[1..]), Err(Error::Receipt));
    let odd = Receipt { device: "a\nopened: 1".into(), ..receipt };
    assert_eq!(Receipt::parse(&odd.to_bytes()), Err(Error::Receipt));
}

proptest! {
    #[test]
    fn hostile_octets_are_refused_calmly(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Package::parse(&octets).is_err());
        prop_assert!(Receipt::parse(&octets).is_err());
    }

    #[test]
    fn every_code_survives_its_text(random in any::<[u8; CODE_LEN]>()) {
        prop_assert_eq!(Code::parse(&Code::new(random).text()), Ok(Code::new(random)));
    }
}
