//! `MECHANISMS.md`: the table of mechanisms, made of what the engine lists with each provider and what this module offers
//! of it. The test fails when the file is another; `COLOA_WRITE_DOCS=1 cargo test -p coloa-pkcs11 table` writes it.

use super::list::{left, offered};
use coloa_crypto_native::Native;
use coloa_crypto_portable::{Entropy, EntropyFailure, Portable};
use coloa_engine::mechanisms;
use coloa_wire::MechanismType;
use coloa_wire::command::MechanismInfo;
use cryptoki_sys::*;
use std::fmt::Write;
use std::path::Path;

const HEAD: &str = "\
# Mechanisms

What `C_GetMechanismList` and `C_GetMechanismInfo` answer (PKCS#11 3.2 §5.5.5 and §6). Generated: see
`hsm-driver/pkcs11/src/mechanism/table.rs`. What is listed works; each row is used by a test.

*Keys* are the smallest and largest key in the unit that PKCS#11 gives: bits for RSA and curves, bytes for AES and secrets,
the parameter set for ML-DSA and ML-KEM. *Everywhere* is what every partition serves; a `compatible` partition serves
*compatible only* too (ARCHITECTURE decision 8). *Hosts* are the appliance and the embedded token. `m` marks services
that also have message-based functions. RSA keys below 3072 bits are for compatible partitions only.

*Approved* is what SP 800-131A and FIPS 140-3 IG 2.4.C let an HSM call an approved service, with keys of 112 bits or more: where it
depends on what the HSM cannot see, such as who hashed what is signed, it is not. GCM encryption and wrapping are on strict
partitions only, and X25519 is nowhere. `coloa partition create --approved-only` makes a partition that refuses the rest; the
audit log marks it everywhere else. Digests are computed in the caller's process and are no service of the HSM. Approved
algorithms are no certificate: this product has none.

| mechanism | number | keys | everywhere | compatible only | approved | hosts | boards |
|---|---|---|---|---|---|---|---|
";

const SERVICES: [(CK_FLAGS, &str, CK_FLAGS); 12] = [
    (CKF_ENCRYPT, "encrypt", CKF_MESSAGE_ENCRYPT),
    (CKF_DECRYPT, "decrypt", CKF_MESSAGE_DECRYPT),
    (CKF_DIGEST, "digest", 0),
    (CKF_SIGN, "sign", CKF_MESSAGE_SIGN),
    (CKF_VERIFY, "verify", CKF_MESSAGE_VERIFY),
    (CKF_GENERATE, "generate", 0),
    (CKF_GENERATE_KEY_PAIR, "generate pair", 0),
    (CKF_WRAP, "wrap", 0),
    (CKF_UNWRAP, "unwrap", 0),
    (CKF_DERIVE, "derive", 0),
    (CKF_ENCAPSULATE, "encapsulate", 0),
    (CKF_DECAPSULATE, "decapsulate", 0),
];

/// The operating system's randomness in place of a board's.
struct System;

impl Entropy for System {
    fn fill(&self, out: &mut [u8]) -> Result<(), EntropyFailure> {
        getrandom::fill(out).map_err(|_| EntropyFailure)
    }
}

fn services(flags: CK_FLAGS) -> String {
    let named = SERVICES.iter().filter(|(flag, ..)| flags & flag != 0);
    let word = |(_, name, message): &(CK_FLAGS, &str, CK_FLAGS)| {
        if flags & message != 0 { format!("{name} (m)") } else { (*name).to_owned() }
    };
    named.map(word).collect::<Vec<_>>().join(", ")
}

fn line(info: &MechanismInfo, bodies: [bool; 2]) -> String {
    let name = info.kind.name().unwrap_or_else(|| panic!("{:#x} has no name", info.kind.0));
    let (strict, all) = (left(info, true).unwrap_or(0), left(info, false).unwrap_or(0));
    let keys = if info.max_key == 0 { String::new() } else { format!("{} – {}", info.min_key, info.max_key) };
    let [hosts, boards] = bodies.map(|has| if has { "yes" } else { "" });
    let number = info.kind.0;
    let (everywhere, more) = (services(strict), services(all & !strict));
    let approved = services(info.approved.unwrap_or(0).into());
    format!("| `CKM_{name}` | `{number:#06x}` | {keys} | {everywhere} | {more} | {approved} | {hosts} | {boards} |\n")
}

fn table() -> String {
    let board: Portable<System, parking_lot::RawMutex> = Portable::new(System, b"table").expect("entropy");
    let hosts = offered(mechanisms(&Native::new()).collect());
    let boards = offered(mechanisms(&board).collect());
    let has = |list: &[MechanismInfo], kind: MechanismType| list.iter().any(|m| m.kind == kind);
    let mut all: Vec<_> = hosts.iter().chain(boards.iter().filter(|m| !has(&hosts, m.kind))).collect();
    all.sort_by_key(|m| m.kind);
    let mut out = HEAD.to_owned();
    for info in all {
        let _ = write!(out, "{}", line(info, [has(&hosts, info.kind), has(&boards, info.kind)]));
    }
    out
}

#[test]
fn the_documented_table_is_what_the_module_offers() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../MECHANISMS.md");
    let table = table();
    if std::env::var_os("COLOA_WRITE_DOCS").is_some() {
        std::fs::write(&file, &table).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written == table, "MECHANISMS.md is another table: COLOA_WRITE_DOCS=1 cargo test -p coloa-pkcs11 table");
}
