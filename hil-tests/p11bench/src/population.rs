//! The objects that `find-10k` searches among.

use crate::module::{Module, Res, Tmpl};
use crate::operation::private;
use cryptoki_sys::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Threads that create the objects.
const MAKERS: usize = 16;

/// How many objects `find-10k` searches among, and for how many seconds they may be created.
#[derive(Clone, Copy)]
pub struct Population {
    /// Objects wanted.
    pub objects: usize,
    /// Seconds.
    pub budget: f64,
}

fn object(i: usize) -> Tmpl {
    let mut value = [0x5a; 32];
    value[..8].copy_from_slice(&(i as u64).to_be_bytes());
    private(Tmpl::new())
        .ulong(CKA_CLASS, CKO_SECRET_KEY)
        .ulong(CKA_KEY_TYPE, CKK_GENERIC_SECRET)
        .flag(CKA_TOKEN, true)
        .flag(CKA_SIGN, true)
        .bytes(CKA_LABEL, name(i).as_bytes())
        .bytes(CKA_ID, &(i as u32).to_be_bytes())
        .bytes(CKA_VALUE, &value)
}

/// Creates the persistent objects for the find operation; prints the creation rate.
pub fn populate(m: &Module, slot: CK_SLOT_ID, s: CK_SESSION_HANDLE, many: Population) -> Res<usize> {
    let Population { objects: n, budget } = many;
    let has =
        |s, i: usize| -> Res<bool> { Ok(!m.find(s, &Tmpl::new().bytes(CKA_LABEL, name(i).as_bytes()), 1)?.is_empty()) };
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

/// The label of one.
pub fn name(i: usize) -> String {
    format!("p11bench-obj-{i:07}")
}
