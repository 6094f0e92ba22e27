//! One thread at work: `step` is the timed call.

use crate::module::{Module, Res, Tmpl};
use crate::operation::{Kind, Plan, p256, private};
use crate::overlap::Overlap;
use crate::population::name;
use cryptoki_sys::*;

/// What a thread does until it is told to stop.
pub trait Work {
    /// The timed call.
    fn step(&mut self) -> Res<()>;
    /// Not timed: the last answer was right (signature verifies, ciphertext decrypts).
    fn check(&mut self) -> Res<()>;
}

/// A thread's work on an operation.
pub fn start<'a>(m: &'a Module, p: &'a Plan, id: usize) -> Res<Box<dyn Work + 'a>> {
    Ok(if p.overlaps { Box::new(Overlap::new(m, p)?) } else { Box::new(Worker::new(m, p, id)?) })
}

/// One thread's session and buffers.
struct Worker<'a> {
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
    fn new(m: &'a Module, p: &'a Plan, id: usize) -> Res<Self> {
        let s = m.open(p.slot)?;
        let data = match p.kind {
            Kind::Sign { prefix, len, .. } => [prefix, &vec![7; len]].concat(),
            Kind::Gcm(len) => vec![7; len],
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
}

impl Work for Worker<'_> {
    fn step(&mut self) -> Res<()> {
        let (m, s) = (self.m, self.s);
        self.n = self.n.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        match self.p.kind {
            Kind::Sign { mech, .. } => {
                // another message each time: its last eight bytes, which are the digest's where there is a prefix
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
                let t = Tmpl::new().ulong(CKA_CLASS, CKO_SECRET_KEY).bytes(CKA_LABEL, name(i).as_bytes());
                if m.find(s, &t, 4)?.is_empty() {
                    return Err(format!("{} was not found", name(i)));
                }
            }
            Kind::GenPair { token } => {
                let t = |t: Tmpl| t.flag(CKA_TOKEN, token).bytes(CKA_LABEL, b"p11bench-gen");
                let pv = private(t(Tmpl::new())).flag(CKA_SIGN, true);
                let (a, b) = m.gen_pair(s, CKM_EC_KEY_PAIR_GEN, &t(p256()), &pv)?;
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

    fn check(&mut self) -> Res<()> {
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
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        self.m.close(self.s).ok();
    }
}
