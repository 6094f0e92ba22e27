//! What can be timed. `prepare` runs once, `Worker` once per thread, `step` is the timed call.

use crate::module::{Module, Res, Tmpl};
use cryptoki_sys::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Threads that create the objects.
const MAKERS: usize = 16;

/// What is timed without a run of its own.
pub const FIRST_SESSION: &str = "first-session";

/// Every operation by name.
pub const OPERATIONS: &[&str] = &[
    "ecdsa-p256-sign",
    "ecdsa-p384-sign",
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
/// What a step does.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    /// Signs `len` bytes.
    Sign { mech: CK_MECHANISM_TYPE, len: usize },
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
    kind: Kind,
    objects: usize,
    slot: CK_SLOT_ID,
    public: CK_OBJECT_HANDLE,
    key: CK_OBJECT_HANDLE,
}

fn obj_name(i: usize) -> String {
    format!("p11bench-obj-{i:07}")
}

fn ec(params: &[u8]) -> Tmpl {
    Tmpl::new().bytes(CKA_EC_PARAMS, params).flag(CKA_VERIFY, true)
}

fn private(t: Tmpl) -> Tmpl {
    t.flag(CKA_PRIVATE, true).flag(CKA_SENSITIVE, true).flag(CKA_EXTRACTABLE, false)
}

/// One persistent key pair per operation, found by label or generated the first time.
fn pair(m: &Module, s: CK_SESSION_HANDLE, label: &str, curve: &[u8]) -> Res<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE)> {
    let by = |c| Tmpl::new().ulong(CKA_CLASS, c).bytes(CKA_LABEL, label.as_bytes());
    let (pb, pv) = (m.find(s, &by(CKO_PUBLIC_KEY), 1)?, m.find(s, &by(CKO_PRIVATE_KEY), 1)?);
    if let (Some(a), Some(b)) = (pb.first(), pv.first()) {
        return Ok((*a, *b));
    }
    let common = |t: Tmpl| t.flag(CKA_TOKEN, true).bytes(CKA_LABEL, label.as_bytes()).bytes(CKA_ID, label.as_bytes());
    let pv = private(common(Tmpl::new())).flag(CKA_SIGN, true);
    m.gen_pair(s, CKM_EC_KEY_PAIR_GEN, &common(ec(curve)), &pv)
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

fn object(i: usize) -> Tmpl {
    let mut value = [0x5a; 32];
    value[..8].copy_from_slice(&(i as u64).to_be_bytes());
    private(Tmpl::new())
        .ulong(CKA_CLASS, CKO_SECRET_KEY)
        .ulong(CKA_KEY_TYPE, CKK_GENERIC_SECRET)
        .flag(CKA_TOKEN, true)
        .flag(CKA_SIGN, true)
        .bytes(CKA_LABEL, obj_name(i).as_bytes())
        .bytes(CKA_ID, &(i as u32).to_be_bytes())
        .bytes(CKA_VALUE, &value)
}

/// Creates the persistent objects for the find operation; prints the creation rate.
fn populate(m: &Module, slot: CK_SLOT_ID, s: CK_SESSION_HANDLE, n: usize, budget: f64) -> Res<usize> {
    let has = |s, i: usize| -> Res<bool> {
        Ok(!m.find(s, &Tmpl::new().bytes(CKA_LABEL, obj_name(i).as_bytes()), 1)?.is_empty())
    };
    if n == 0 || has(s, n - 1)? {
        return Ok(n);
    }
    // objects are created in order, so the first absent one is where an earlier run stopped
    let (mut lo, mut hi) = (0, n - 1);
    while lo < hi {
        let mid = (lo + hi) / 2;
        if has(s, mid)? { lo = mid + 1 } else { hi = mid }
    }
    // Those beside the last one may be missing, for several threads make them.
    let (from, t0, budget) =
        (lo.saturating_sub(MAKERS), std::time::Instant::now(), Duration::from_secs_f64(budget.min(1e9)));
    let next = AtomicUsize::new(from);
    std::thread::scope(|scope| {
        let make = || -> Res<()> {
            let own = m.open(slot)?;
            while t0.elapsed() < budget {
                let i = next.fetch_add(1, Ordering::Relaxed);
                if i >= n {
                    break;
                }
                if i >= lo || !has(own, i)? {
                    m.create(own, &object(i))?;
                }
            }
            m.close(own)
        };
        let makers: Vec<_> = (0..MAKERS).map(|_| scope.spawn(make)).collect();
        makers.into_iter().try_for_each(|maker| maker.join().map_err(|_| "a thread panicked")?)
    })?;
    let (present, seconds) = (next.into_inner().min(n), t0.elapsed().as_secs_f64());
    let made = present - lo;
    eprintln!("populate: {made} objects in {seconds:.2} s = {:.0}/s ({present} of {n} present)", made as f64 / seconds);
    Ok(present)
}

/// How many objects `find-10k` searches among, and for how many seconds they may be created.
#[derive(Clone, Copy)]
pub struct Population {
    /// Objects wanted.
    pub objects: usize,
    /// Seconds.
    pub budget: f64,
}

/// Makes or finds what the operation needs.
pub fn prepare(m: &Module, slot: CK_SLOT_ID, s: CK_SESSION_HANDLE, op: &str, many: Population) -> Res<Plan> {
    let label = format!("p11bench-{}", op.trim_end_matches("-verify").trim_end_matches("-sign"));
    let mut plan = Plan { name: op.into(), kind: Kind::Random, objects: 0, slot, public: 0, key: 0 };
    plan.kind = match op {
        "ecdsa-p256-sign" | "ecdsa-p256-verify" => {
            (plan.public, plan.key) = pair(m, s, &label, P256)?;
            if op.ends_with("verify") { Kind::Verify } else { Kind::Sign { mech: CKM_ECDSA, len: 32 } }
        }
        "ecdsa-p384-sign" => {
            (plan.public, plan.key) = pair(m, s, &label, P384)?;
            Kind::Sign { mech: CKM_ECDSA, len: 48 }
        }
        "aes256-gcm-16k" | "aes256-gcm-1k" => {
            plan.key = secret(m, s, "p11bench-aes256", CKM_AES_KEY_GEN, &[CKA_ENCRYPT, CKA_DECRYPT])?;
            Kind::Gcm(if op.ends_with("16k") { 16384 } else { 1024 })
        }
        "sha256-hmac-1k" => {
            plan.key = secret(m, s, "p11bench-hmac", CKM_GENERIC_SECRET_KEY_GEN, &[CKA_SIGN, CKA_VERIFY])?;
            Kind::Sign { mech: CKM_SHA256_HMAC, len: 1024 }
        }
        "find-10k" => {
            plan.objects = populate(m, slot, s, many.objects, many.budget)?;
            Kind::Find
        }
        "genkey-p256" | "genkey-p256-token" => Kind::GenPair { token: op.ends_with("token") },
        "session-open-close" => Kind::Session,
        "random-1k" => Kind::Random,
        _ => return Err(format!("unknown operation {op}; known: {}", OPERATIONS.join(" "))),
    };
    Ok(plan)
}

/// One thread's session and buffers.
pub struct Worker<'a> {
    m: &'a Module,
    p: &'a Plan,
    s: CK_SESSION_HANDLE,
    data: Vec<u8>,
    out: Vec<u8>,
    used: usize,
    iv: [u8; 12],
    n: u64,
}

impl<'a> Worker<'a> {
    /// Opens the thread's session.
    pub fn new(m: &'a Module, p: &'a Plan, id: usize) -> Res<Self> {
        let s = m.open(p.slot)?;
        let data = match p.kind {
            Kind::Sign { len, .. } | Kind::Gcm(len) => vec![7; len],
            Kind::Verify => vec![7; 32],
            _ => vec![],
        };
        let mut iv = [0; 12];
        iv[..4].copy_from_slice(&(id as u32).to_be_bytes());
        let n = 0x9e37_79b9_7f4a_7c15u64.wrapping_mul(id as u64 + 1);
        let mut w = Worker { m, p, s, data, out: vec![0; 20_000], used: 0, iv, n };
        if p.kind == Kind::Verify {
            w.used = m.sign(s, CKM_ECDSA, p.key, &w.data, &mut w.out)?;
        }
        Ok(w)
    }

    /// The timed call.
    pub fn step(&mut self) -> Res<()> {
        let (m, s) = (self.m, self.s);
        self.n = self.n.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        match self.p.kind {
            Kind::Sign { mech, .. } => {
                // another message each time
                let l = self.data.len();
                self.data[l - 8..].copy_from_slice(&self.n.to_be_bytes());
                self.used = m.sign(s, mech, self.p.key, &self.data, &mut self.out)?;
            }
            Kind::Verify => m.verify(s, CKM_ECDSA, self.p.public, &self.data, &self.out[..self.used])?,
            Kind::Gcm(_) => {
                self.iv[4..].copy_from_slice(&self.n.to_be_bytes());
                self.used = m.gcm(s, self.p.key, true, &self.iv, &self.data, &mut self.out)?;
            }
            Kind::Find => {
                let i = (self.n >> 33) as usize % self.p.objects.max(1);
                let t = Tmpl::new().ulong(CKA_CLASS, CKO_SECRET_KEY).bytes(CKA_LABEL, obj_name(i).as_bytes());
                if m.find(s, &t, 4)?.is_empty() {
                    return Err(format!("{} was not found", obj_name(i)));
                }
            }
            Kind::GenPair { token } => {
                let t = |t: Tmpl| t.flag(CKA_TOKEN, token).bytes(CKA_LABEL, b"p11bench-gen");
                let pv = private(t(Tmpl::new())).flag(CKA_SIGN, true);
                let (a, b) = m.gen_pair(s, CKM_EC_KEY_PAIR_GEN, &t(ec(P256)), &pv)?;
                m.destroy(s, a)?;
                m.destroy(s, b)?;
            }
            Kind::Session => {
                let h = m.open(self.p.slot)?;
                m.close(h)?;
            }
            Kind::Random => m.random(s, &mut self.out[..1024])?,
        }
        Ok(())
    }

    /// Not timed: the last answer was right (signature verifies, ciphertext decrypts).
    pub fn check(&mut self) -> Res<()> {
        let (m, s, n) = (self.m, self.s, self.used);
        match self.p.kind {
            Kind::Sign { mech: CKM_SHA256_HMAC, .. } => {
                m.verify(s, CKM_SHA256_HMAC, self.p.key, &self.data, &self.out[..n])
            }
            Kind::Sign { mech, .. } => m.verify(s, mech, self.p.public, &self.data, &self.out[..n]),
            Kind::Gcm(len) => {
                let mut back = vec![0; len + 64];
                let k = m.gcm(s, self.p.key, false, &self.iv, &self.out[..n], &mut back)?;
                if back[..k] == self.data[..] { Ok(()) } else { Err("GCM does not round-trip".into()) }
            }
            _ => Ok(()),
        }
    }

    /// Closes the session.
    pub fn done(self) -> Res<()> {
        self.m.close(self.s)
    }
}
