//! Datagrams to one peer that wait to be sent in one go: small packets that follow each other closely share one GSO send,
//! as the segments of a super-packet do anyway. Nothing waits for a packet that has not been read yet.

use std::net::SocketAddr;
use std::sync::Arc;

use coloa_link::{Burst, Cover, DropReason, MAX_BURST_BYTES, MAX_BURST_SEGMENTS, Outgoing, Seal};

use super::Cipher;
use crate::udp::BlackSocket;

/// Where datagrams go, and how they are marked outside. Those of one send are alike in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heading {
    /// The peer's address.
    pub to: SocketAddr,
    /// TOS octet or traffic class of the outer header.
    pub traffic_class: u8,
}

/// The datagrams, and where they go.
pub struct Bursts {
    black: Arc<BlackSocket>,
    sealed: Vec<u8>,
    waiting: Burst,
    heading: Option<Heading>,
    refused_by_kernel: u64,
}

impl Bursts {
    /// None yet.
    pub fn new(black: Arc<BlackSocket>) -> Self {
        let sealed = vec![0; MAX_BURST_BYTES];
        Self { black, sealed, waiting: Burst::default(), heading: None, refused_by_kernel: 0 }
    }

    /// Seals everything that was read, sends what is whole and lets a single packet wait for the next.
    pub fn add(
        &mut self,
        seal: &mut Seal<Cipher>,
        outgoing: &mut Outgoing<'_>,
        heading: Heading,
    ) -> Result<(), DropReason> {
        while let Some(next) = outgoing.next_len() {
            let is_single = next == outgoing.packet().len();
            if !is_single || !self.admits(seal.sealed_len(next), heading) {
                self.flush();
            }
            let room = self.sealed.get_mut(self.waiting.len..).ok_or(DropReason::BufferTooSmall)?;
            let burst = seal.seal_burst(outgoing, room)?;
            self.heading = Some(heading);
            self.waiting.len = self.waiting.len.saturating_add(burst.len);
            self.waiting.segment_size = self.waiting.segment_size.max(burst.segment_size);
            self.waiting.count = self.waiting.count.saturating_add(burst.count);
            if !is_single {
                self.flush();
            }
        }
        Ok(())
    }

    /// Sends what waits.
    pub fn flush(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        let (Some(heading), Some(datagrams)) = (self.heading, self.sealed.get(..waiting.len)) else { return };
        let Heading { to, traffic_class } = heading;
        if waiting.len > 0 && self.black.send(to, traffic_class, datagrams, waiting.segment_size).is_err() {
            self.refused_by_kernel = self.refused_by_kernel.saturating_add(1);
        }
    }

    /// Sends what is due of a constant rate.
    pub fn send_cover(
        &mut self,
        seal: &mut Seal<Cipher>,
        cover: &mut Cover,
        due: u32,
        heading: Heading,
    ) -> Result<(), DropReason> {
        self.flush();
        self.waiting = seal.seal_cover(cover, due, &mut self.sealed)?;
        self.heading = Some(heading);
        self.flush();
        Ok(())
    }

    /// Sends one datagram that is no red packet: what waits stays as it is. A refusal counts as a loss on the way, because a
    /// probe may well be too large for our own interface.
    pub fn send_aside(&mut self, heading: Heading, datagram: &[u8]) {
        let _ = self.black.send(heading.to, heading.traffic_class, datagram, datagram.len());
    }

    /// Sends that the kernel refused.
    pub fn refused_by_kernel(&self) -> u64 {
        self.refused_by_kernel
    }

    /// `UDP_SEGMENT` wants all datagrams of one size, but the last may be shorter.
    fn admits(&self, len: usize, heading: Heading) -> bool {
        let Burst { len: used, segment_size, count } = self.waiting;
        count == 0
            || self.heading == Some(heading)
                && count < MAX_BURST_SEGMENTS
                && used == segment_size.saturating_mul(count)
                && len <= segment_size
                && used.saturating_add(len) <= MAX_BURST_BYTES
    }
}
