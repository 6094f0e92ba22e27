//! What to do with a red packet that is larger than the link to its destination carries: fragment it, or tell its sender.
//! Off the fast path, with buffers of its own that are made once.

use crate::drops::DropReason;
use crate::fragment::Fragments;
use crate::icmp;
use crate::limiter::Limiter;
use crate::segment::Outgoing;
use crate::virtio::{self, Header};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

/// The largest packet there is.
const LARGEST: usize = 65_535;

/// Buffers for one packet and one fragment of it, and the memory of whom it told lately.
#[derive(Debug)]
pub struct Narrow {
    whole: Vec<u8>,
    piece: Vec<u8>,
    limiter: Limiter,
}

impl Default for Narrow {
    fn default() -> Self {
        Self::new()
    }
}

impl Narrow {
    /// Has told nobody yet.
    pub fn new() -> Self {
        Self { whole: vec![0; LARGEST], piece: vec![0; LARGEST], limiter: Limiter::new() }
    }

    /// Gives `each` the fragments of every packet of `outgoing`, whole packets among them as they are.
    pub fn in_fragments(
        &mut self,
        outgoing: &mut Outgoing<'_>,
        mtu: usize,
        mut each: impl FnMut(&mut Outgoing<'_>) -> Result<(), DropReason>,
    ) -> Result<(), DropReason> {
        while let Some(len) = outgoing.next_len() {
            let whole = self.whole.get_mut(..len).ok_or(DropReason::BufferTooSmall)?;
            outgoing.write_next(whole)?;
            let mut fragments = Fragments::of(whole, mtu)?;
            while let Some(len) = fragments.next_len() {
                let piece = self.piece.get_mut(..len).ok_or(DropReason::BufferTooSmall)?;
                fragments.write_next(piece)?;
                each(&mut Outgoing::single(piece)?)?;
            }
        }
        Ok(())
    }

    /// Gives `each` every packet of `outgoing`, whole.
    pub fn one_by_one(
        &mut self,
        outgoing: &mut Outgoing<'_>,
        mut each: impl FnMut(&mut Outgoing<'_>) -> Result<(), DropReason>,
    ) -> Result<(), DropReason> {
        while let Some(len) = outgoing.next_len() {
            let whole = self.whole.get_mut(..len).ok_or(DropReason::BufferTooSmall)?;
            outgoing.write_next(whole)?;
            each(&mut Outgoing::single(whole)?)?;
        }
        Ok(())
    }

    /// The answer to a packet that does not fit and may not be fragmented, as it goes to the TUN device; of a super-packet
    /// its first packet is answered. `None` where no answer may be given, or this sender got enough of them lately.
    pub fn tell_sender(&mut self, mut outgoing: Outgoing<'_>, mtu: usize, now: Duration) -> Option<&[u8]> {
        let sender = outgoing.selector().source;
        let whole = self.whole.get_mut(..outgoing.next_len()?)?;
        outgoing.write_next(whole).ok()?;
        let (header, answer) = self.piece.split_at_mut_checked(virtio::LEN)?;
        let len = icmp::too_big(whole, mtu, answer)?;
        if !self.limiter.admits(now, sender) {
            return None;
        }
        header.copy_from_slice(&Header::default().encode());
        self.piece.get(..virtio::LEN.checked_add(len)?)
    }
}
