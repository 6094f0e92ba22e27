//! One thread with many signatures under way, each in an asynchronous session of its own (PKCS#11 3.2 `C_AsyncComplete`).

use crate::module::{Module, Overlapped, Res};
use crate::operation::Plan;
use crate::worker::Work;
use cryptoki_sys::CKM_ECDSA;
use std::collections::VecDeque;
use std::time::Duration;

/// Signatures under way at most.
const IN_FLIGHT: usize = 32;
/// Between two looks at the oldest. Who looks without a pause takes a core away from those that sign: a quarter less here.
const PAUSE: Duration = Duration::from_micros(50);

/// Oldest first: who waits for it finds what came with it without waiting.
pub struct Overlap<'a> {
    m: &'a Module,
    p: &'a Plan,
    under_way: VecDeque<Overlapped<'a>>,
    complete: Vec<Overlapped<'a>>,
    n: u64,
}

impl<'a> Overlap<'a> {
    /// Opens the sessions.
    pub fn new(m: &'a Module, p: &'a Plan) -> Res<Self> {
        let complete = (0..IN_FLIGHT).map(|_| Overlapped::open(m, p.slot)).collect::<Res<_>>()?;
        Ok(Overlap { m, p, under_way: VecDeque::new(), complete, n: 0 })
    }

    fn take_oldest(&mut self) -> Res<bool> {
        let Some(oldest) = self.under_way.front_mut() else { return Ok(false) };
        let is_complete = oldest.is_complete()?;
        if is_complete {
            self.complete.extend(self.under_way.pop_front());
        }
        Ok(is_complete)
    }

    /// Another message each time.
    fn begin_all(&mut self) -> Res<()> {
        for mut next in self.complete.drain(..) {
            self.n += 1;
            let mut message = [7; 32];
            message[..8].copy_from_slice(&self.n.to_be_bytes());
            next.sign(CKM_ECDSA, self.p.key, &message)?;
            self.under_way.push_back(next);
        }
        Ok(())
    }
}

impl Work for Overlap<'_> {
    /// One signature; others are begun before it is waited for.
    fn step(&mut self) -> Res<()> {
        while !self.take_oldest()? {
            if self.complete.is_empty() {
                std::thread::sleep(PAUSE);
            }
            self.begin_all()?;
        }
        Ok(())
    }

    /// All that are under way.
    fn check(&mut self) -> Res<()> {
        self.begin_all()?;
        while !self.under_way.is_empty() {
            self.take_oldest()?;
        }
        let s = self.m.open(self.p.slot)?;
        self.complete.iter().try_for_each(|done| done.verify(s, CKM_ECDSA, self.p.public))?;
        self.m.close(s)
    }
}
