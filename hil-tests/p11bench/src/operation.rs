//! What can be timed, and the keys that it needs.

use crate::module::{Module, Res, Tmpl};
use crate::population::{Population, populate};
use cryptoki_sys::*;

/// What is timed without a run of its own.
pub const FIRST_SESSION: &str = "first-session";

/// Every operation by name.
pub const OPERATIONS: &[&str] = &[
    "ecdsa-p256-sign",
    "ecdsa-p256-sign-overlap",
    "ecdsa-p384-sign",
    "ed25519-sign",
    "rsa2048-sign",
    "rsa3072-sign",
    "ml-dsa-65-sign",
    "aes256-gcm-16k",
    "aes256-gcm-1k",
    "sha256-hmac-1k",
    "find-10k",
    "genkey-p256",
    "genkey-p256-token",
    "session-open-close",
    FIRST_SESSION,
    "random-1k",
    "ecdsa-p256-verify",
];

const P256: &[u8] = &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const P384: &[u8] = &[0x06, 5, 0x2b, 0x81, 4, 0, 0x22];
/// Modules take either (RFC 8410, or the PrintableString of PKCS#11 3.0 §2.3.10).
const ED25519: [&[u8]; 2] = [&[0x06, 3, 0x2b, 0x65, 0x70], b"\x13\x0cedwards25519"];
/// What stands before a SHA-256 digest that PKCS#1 v1.5 signs (RFC 8017 §9.2).
const SHA256: &[u8] = &[0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20];

/// What a step does.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    /// Signs `prefix` and `len` bytes.
    Sign { mech: CK_MECHANISM_TYPE, prefix: &'static [u8], len: usize },
    /// Verifies one ECDSA signature.
    Verify,
    /// Encrypts so many bytes.
    Gcm(usize),
    /// Finds one object by label.
    Find,
    /// Generates a key pair and destroys it.
    GenPair { token: bool },
    /// Opens a session and closes it.
    Session,
    /// Draws 1,024 bytes.
    Random,
}

/// One operation, ready: its keys exist.
pub struct Plan {
    /// The operation's name.
    pub name: String,
    /// What a step does.
    pub kind: Kind,
    /// Whether one thread has many signatures under way.
    pub overlaps: bool,
    /// How many objects there are to find.
    pub objects: usize,
    /// Where the token is.
    pub slot: CK_SLOT_ID,
    /// The public key, if there is one.
    pub public: CK_OBJECT_HANDLE,
    /// The private or secret key, if there is one.
    pub key: CK_OBJECT_HANDLE,
}

/// A public P-256 key.
pub fn p256() -> Tmpl {
    ec(P256)
}

/// What no one takes out.
pub fn private(t: Tmpl) -> Tmpl {
    t.flag(CKA_PRIVATE, true).flag(CKA_SENSITIVE, true).flag(CKA_EXTRACTABLE, false)
}

/// Makes or finds what the operation needs.
pub fn prepare(m: &Module, slot: CK_SLOT_ID, s: CK_SESSION_HANDLE, op: &str, many: Population) -> Res<Plan> {
    let overlaps = op.ends_with("-overlap");
    if overlaps && !m.is_asynchronous(slot)? {
        return Err("the token has no asynchronous sessions".into());
    }
    let mut plan = Plan { name: op.into(), kind: Kind::Random, overlaps, objects: 0, slot, public: 0, key: 0 };
    if let Some((kind, mech, publics)) = signature(op) {
        plan.kind = kind;
        let label =
            format!("p11bench-{}", op.split_once("-sign").or(op.split_once("-verify")).map_or(op, |(key, _)| key));
        (plan.public, plan.key) = pair(m, s, &label, mech, &publics)?;
        return Ok(plan);
    }
    plan.kind = match op {
        "aes256-gcm-16k" | "aes256-gcm-1k" => {
            plan.key = secret(m, s, "p11bench-aes256", CKM_AES_KEY_GEN, &[CKA_ENCRYPT, CKA_DECRYPT])?;
            Kind::Gcm(if op.ends_with("16k") { 16384 } else { 1024 })
        }
        "sha256-hmac-1k" => {
            plan.key = secret(m, s, "p11bench-hmac", CKM_GENERIC_SECRET_KEY_GEN, &[CKA_SIGN, CKA_VERIFY])?;
            Kind::Sign { mech: CKM_SHA256_HMAC, prefix: &[], len: 1024 }
        }
        "find-10k" => {
            plan.objects = populate(m, slot, s, many)?;
            Kind::Find
        }
        "genkey-p256" | "genkey-p256-token" => Kind::GenPair { token: op.ends_with("token") },
        "session-open-close" => Kind::Session,
        "random-1k" => Kind::Random,
        _ => return Err(format!("unknown operation {op}; known: {}", OPERATIONS.join(" "))),
    };
    Ok(plan)
}

/// What signs or verifies: how, and how its key is generated from which public templates, the first that is taken.
fn signature(op: &str) -> Option<(Kind, CK_MECHANISM_TYPE, Vec<Tmpl>)> {
    let sign = |mech, len| Kind::Sign { mech, prefix: &[], len };
    Some(match op {
        "ecdsa-p256-sign" | "ecdsa-p256-sign-overlap" => (sign(CKM_ECDSA, 32), CKM_EC_KEY_PAIR_GEN, vec![ec(P256)]),
        "ecdsa-p256-verify" => (Kind::Verify, CKM_EC_KEY_PAIR_GEN, vec![ec(P256)]),
        "ecdsa-p384-sign" => (sign(CKM_ECDSA, 48), CKM_EC_KEY_PAIR_GEN, vec![ec(P384)]),
        "ed25519-sign" => (sign(CKM_EDDSA, 64), CKM_EC_EDWARDS_KEY_PAIR_GEN, ED25519.map(ec).to_vec()),
        "rsa2048-sign" | "rsa3072-sign" => {
            let bits = if op.starts_with("rsa2048") { 2048 } else { 3072 };
            let kind = Kind::Sign { mech: CKM_RSA_PKCS, prefix: SHA256, len: 32 };
            (kind, CKM_RSA_PKCS_KEY_PAIR_GEN, vec![rsa(bits)])
        }
        "ml-dsa-65-sign" => {
            let public = Tmpl::new().ulong(CKA_PARAMETER_SET, CKP_ML_DSA_65).flag(CKA_VERIFY, true);
            (sign(CKM_ML_DSA, 64), CKM_ML_DSA_KEY_PAIR_GEN, vec![public])
        }
        _ => return None,
    })
}

fn ec(params: &[u8]) -> Tmpl {
    Tmpl::new().bytes(CKA_EC_PARAMS, params).flag(CKA_VERIFY, true)
}

fn rsa(bits: CK_ULONG) -> Tmpl {
    Tmpl::new().ulong(CKA_MODULUS_BITS, bits).bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1]).flag(CKA_VERIFY, true)
}

/// One persistent key pair per label, found or generated the first time.
fn pair(
    m: &Module,
    s: CK_SESSION_HANDLE,
    label: &str,
    mech: CK_MECHANISM_TYPE,
    publics: &[Tmpl],
) -> Res<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE)> {
    let by = |c| Tmpl::new().ulong(CKA_CLASS, c).bytes(CKA_LABEL, label.as_bytes());
    let (pb, pv) = (m.find(s, &by(CKO_PUBLIC_KEY), 1)?, m.find(s, &by(CKO_PRIVATE_KEY), 1)?);
    if let (Some(a), Some(b)) = (pb.first(), pv.first()) {
        return Ok((*a, *b));
    }
    let common = |t: Tmpl| t.flag(CKA_TOKEN, true).bytes(CKA_LABEL, label.as_bytes()).bytes(CKA_ID, label.as_bytes());
    let pv = private(common(Tmpl::new())).flag(CKA_SIGN, true);
    let make = |last: Res<_>, pb: &Tmpl| last.or_else(|_| m.gen_pair(s, mech, &common(pb.clone()), &pv));
    publics.iter().fold(Err("no key to generate".into()), make)
}

fn secret(
    m: &Module,
    s: CK_SESSION_HANDLE,
    label: &str,
    mech: CK_MECHANISM_TYPE,
    uses: &[CK_ATTRIBUTE_TYPE],
) -> Res<CK_OBJECT_HANDLE> {
    let t = Tmpl::new().ulong(CKA_CLASS, CKO_SECRET_KEY).bytes(CKA_LABEL, label.as_bytes());
    if let Some(h) = m.find(s, &t, 1)?.first() {
        return Ok(*h);
    }
    let mut t = private(Tmpl::new().flag(CKA_TOKEN, true).bytes(CKA_LABEL, label.as_bytes())).ulong(CKA_VALUE_LEN, 32);
    for u in uses {
        t = t.flag(*u, true);
    }
    m.gen_secret(s, mech, &t)
}
