//! From the receiving half to the sending half, at a hub: what came through one spoke's SA for another spoke. Nothing of it
//! touches the red interface. Packets are copied once, into batches whose memory goes round between the two threads: no
//! allocation and no lock a packet; what finds no batch is dropped and counted.

use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use coloa_link::DropReason;

use super::PeerNumber;

/// Batches on their way; with those the sending half may lag by some milliseconds at 10 Gbit/s.
const BATCHES: usize = 4;
/// Octets of a batch; made when a site first relays, so that a spoke pays nothing.
const CAPACITY: usize = 512 << 10;
/// Packets of a batch.
const MAX_PACKETS: usize = 2048;

/// One packet of a batch.
#[derive(Clone, Debug)]
pub struct Relayed {
    /// By whose SA it came.
    pub from: PeerNumber,
    /// By whose it leaves.
    pub to: PeerNumber,
    /// Where it lies.
    pub at: Range<usize>,
}

/// Packets, one behind the other.
#[derive(Default)]
pub struct Batch {
    octets: Vec<u8>,
    packets: Vec<Relayed>,
}

impl Batch {
    fn add(&mut self, from: PeerNumber, to: PeerNumber, packet: &[u8]) -> bool {
        if self.octets.capacity() == 0 {
            self.octets.reserve_exact(CAPACITY);
            self.packets.reserve_exact(MAX_PACKETS);
        }
        let start = self.octets.len();
        let end = start.saturating_add(packet.len());
        let fits = end <= CAPACITY && self.packets.len() < MAX_PACKETS;
        if fits {
            self.octets.extend_from_slice(packet);
            self.packets.push(Relayed { from, to, at: start..end });
        }
        fits
    }

    /// Hands out each packet.
    pub fn each(&mut self, mut handle: impl FnMut(&Relayed, &mut [u8])) {
        for packet in &self.packets {
            handle(packet, self.octets.get_mut(packet.at.clone()).unwrap_or_default());
        }
    }
}

/// The receiving half's end.
pub struct Feeder {
    empty: Receiver<Batch>,
    full: SyncSender<Batch>,
    filling: Option<Batch>,
}

/// The sending half's end.
pub struct Drain {
    full: Receiver<Batch>,
    empty: SyncSender<Batch>,
}

/// Both ends.
pub fn relay() -> (Feeder, Drain) {
    let ((full, filled), (emptied, empty)) = (sync_channel(BATCHES), sync_channel(BATCHES));
    for _ in 0..BATCHES {
        let _ = emptied.try_send(Batch::default());
    }
    (Feeder { empty, full, filling: None }, Drain { full: filled, empty: emptied })
}

impl Feeder {
    /// Lays a packet into a batch.
    pub fn offer(&mut self, from: PeerNumber, to: PeerNumber, packet: &[u8]) -> Result<(), DropReason> {
        if self.filling.as_mut().is_some_and(|batch| batch.add(from, to, packet)) {
            return Ok(());
        }
        self.flush();
        let batch = self.filling.insert(self.empty.try_recv().map_err(|_| DropReason::RelayFull)?);
        if batch.add(from, to, packet) { Ok(()) } else { Err(DropReason::RelayFull) }
    }

    /// Hands over what was laid in; says whether there is something for the sending half to do.
    pub fn flush(&mut self) -> bool {
        // There is room for all batches that exist.
        self.filling.take().is_some_and(|batch| self.full.try_send(batch).is_ok())
    }
}

impl Drain {
    /// The next batch.
    pub fn take(&self) -> Option<Batch> {
        self.full.try_recv().ok()
    }

    /// Its memory goes back.
    pub fn give_back(&self, mut batch: Batch) {
        batch.octets.clear();
        batch.packets.clear();
        let _ = self.empty.try_send(batch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDS: (PeerNumber, PeerNumber) = (PeerNumber(1), PeerNumber(2));

    #[test]
    fn packets_come_out_as_they_went_in_and_memory_goes_round() {
        let (mut feeder, drain) = relay();
        for round in 0..3 * BATCHES {
            let packets: Vec<Vec<u8>> = (1..20).map(|n| vec![(round + n) as u8; n * 50]).collect();
            for packet in &packets {
                feeder.offer(ENDS.0, ENDS.1, packet).expect("room");
            }
            assert!(feeder.flush());
            let (mut batch, mut out) = (drain.take().expect("a batch"), Vec::new());
            batch.each(|relayed, packet| {
                assert_eq!((relayed.from, relayed.to), ENDS);
                out.push(packet.to_vec());
            });
            assert_eq!(out, packets);
            drain.give_back(batch);
        }
        assert!(!feeder.flush() && drain.take().is_none());
    }

    #[test]
    fn a_sending_half_that_lags_costs_packets_and_no_memory() {
        let (mut feeder, drain) = relay();
        let packet = [7; 1400];
        let admitted = (0..10 * CAPACITY / packet.len()).filter(|_| feeder.offer(ENDS.0, ENDS.1, &packet).is_ok());
        assert_eq!(admitted.count(), BATCHES * (CAPACITY / packet.len()));
        feeder.flush();
        drain.give_back(drain.take().expect("a batch"));
        assert_eq!(feeder.offer(ENDS.0, ENDS.1, &packet), Ok(()), "room again");
        assert_eq!(feeder.offer(ENDS.0, ENDS.1, &vec![0; CAPACITY + 1]), Err(DropReason::RelayFull));
    }
}
