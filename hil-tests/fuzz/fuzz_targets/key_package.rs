//! What comes to a site by post: a key package, its receipt, and the code that somebody types. Only the one encoding is taken;
//! a true package with some bytes changed opens only where the change is in what its signature alone covers; a code that is
//! taken reads the same when it is printed.
#![no_main]

use coloa_package::{Body, Code, Header, Item, Keys, Package, Receipt, SUITE, seal};
use std::sync::OnceLock;

const SERIAL: [u8; 16] = [3; 16];

struct Bench {
    keys: Keys,
    package: Package,
    bytes: Vec<u8>,
}

fn bench() -> Bench {
    let keys = Keys::derive(&Code::new([7; 10]), &SERIAL).expect("keys");
    let header = Header {
        suite: SUITE,
        serial: SERIAL,
        site: "hue".into(),
        organ: "court".into(),
        from: 100,
        until: 200,
        issuer: "CN=issuer".into(),
        certificate: vec![1, 2, 3].into(),
        contents: vec!["link.toml".into()],
    };
    let items = vec![Item { name: "link.toml".into(), octets: b"x = 1".to_vec().into() }];
    let body = Body { items, point: vec![4; 97].into() };
    let package = seal(header, vec![9; 40], &body, &keys).expect("sealed");
    let bytes = package.to_bytes().expect("encoded");
    Bench { keys, package, bytes }
}

static BENCH: OnceLock<Bench> = OnceLock::new();

fn judge(bench: &Bench, bytes: &[u8]) {
    let Ok(package) = Package::parse(bytes) else { return };
    assert_eq!(package.to_bytes().expect("it was read from these"), bytes);
    assert!(package.message().is_ok());
    if package.open(&bench.keys).is_ok() {
        let parts = |p: &Package| (p.header.clone(), p.wrapped.clone(), p.sealed.clone());
        assert_eq!(parts(&package), parts(&bench.package));
    }
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((what, bytes)) = input.split_first() else { return };
    let bench = BENCH.get_or_init(bench);
    match what % 4 {
        0 => judge(bench, bytes),
        1 => {
            let mut changed = bench.bytes.clone();
            for edit in bytes.chunks_exact(3) {
                let at = usize::from(u16::from_be_bytes([edit[0], edit[1]])) % changed.len();
                changed[at] ^= edit[2];
            }
            judge(bench, &changed);
        }
        2 => {
            if let Ok(receipt) = Receipt::parse(bytes) {
                assert_eq!(receipt.to_bytes(), bytes);
            }
        }
        _ => {
            let Ok(text) = std::str::from_utf8(bytes) else { return };
            if let Ok(code) = Code::parse(text) {
                assert_eq!(Code::parse(&code.text()).expect("its own text").text(), code.text());
            }
        }
    }
});
