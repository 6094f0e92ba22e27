//! The data path allocates nothing per packet: an allocator that counts is asked.

mod packets;
mod provider;

use coloa_link::bundle::{self, Bundle, Site};
use coloa_link::ip::Selector;
use coloa_link::keys::SaKeys;
use coloa_link::marking::{self, Ecn};
use coloa_link::mss::{self, Checksum};
use coloa_link::rule::{Members, Rule, Via};
use coloa_link::virtio::{self, Header};
use coloa_link::{
    Arrival, Coalescer, Cover, Epoch, Inbound, Inner, Limits, Narrow, Organ, Outbound, Outgoing, Padding, SiteIndex,
    Spd, Spi, esp, hop,
};
use packets::{Tcp, udp};
use provider::AwsLc;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator; each thread's requests are counted.
struct Counting;

fn count() {
    // A thread that is ending has nothing to measure.
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every call is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: `at` came from `System` with this layout.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: `at` came from `System` with this layout.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many allocations `work` makes.
fn allocations(work: impl FnOnce()) -> u64 {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

const SEGMENTS: usize = 44;
const MSS: usize = 1348;

/// A pair of SAs, all buffers, and the packets of a moment.
struct Pipeline {
    outbound: Outbound<AwsLc>,
    inbound: Inbound<AwsLc>,
    coalescer: Coalescer,
    narrow: Narrow,
    arena: Vec<u8>,
    large: Vec<u8>,
    small: Vec<u8>,
}

impl Pipeline {
    fn new() -> Self {
        let keys = || SaKeys::new([7; 32], [9; 4], Spi::new(0x1234_5678).unwrap());
        let (mut outbound, mut inbound) = (Outbound::blocked(Limits::DEFAULT), Inbound::blocked(Limits::DEFAULT));
        outbound.install(Duration::ZERO, Epoch(1), keys()).unwrap();
        inbound.install(Duration::ZERO, Epoch(1), keys()).unwrap();
        assert!(outbound.activate(Epoch(1)));
        let payload = vec![0x5a; SEGMENTS * MSS];
        let mut small = udp("10.1.0.1".parse().unwrap(), "10.2.0.1".parse().unwrap(), (1, 2), &[7; 1400]);
        small[6] = 0;
        Self {
            outbound,
            inbound,
            coalescer: Coalescer::new(),
            narrow: Narrow::new(),
            arena: vec![0; 65_536],
            large: Tcp { payload: &payload, ..Tcp::default() }.build_partial(),
            small,
        }
    }

    /// Cut, sealed, opened, judged, joined.
    fn super_packet(&mut self) {
        let header = Header {
            flags: virtio::NEEDS_CSUM,
            gso_type: virtio::GSO_TCPV4,
            header_len: 52,
            gso_size: MSS as u16,
            csum_start: 20,
            csum_offset: 16,
        };
        let mut outgoing = Outgoing::with_header(header, &self.large).unwrap();
        let burst = self.outbound.seal().unwrap().seal_burst(&mut outgoing, &mut self.arena).unwrap();
        assert!(outgoing.is_done() && burst.count == SEGMENTS);
        let mut opened = [(0, 0); SEGMENTS];
        for (slot, (index, datagram)) in
            opened.iter_mut().zip(self.arena[..burst.len].chunks_mut(burst.segment_size).enumerate())
        {
            let Inner::Packet(packet) = self.inbound.receive(datagram).unwrap().inner else { panic!("a packet") };
            marking::merge(packet, Ecn::NotEct).unwrap();
            assert!(!mss::opens_connection(packet) && !mss::clamp(packet, 1400, Checksum::Complete));
            *slot = (index * burst.segment_size + esp::PREFIX_LEN, packet.len());
        }
        self.coalescer.clear();
        opened.iter().for_each(|(at, len)| self.coalescer.push(&self.arena, *at..at + len));
        assert_eq!(self.coalescer.frames(&self.arena).map(|frame| frame.rest().count()).sum::<usize>(), SEGMENTS);
    }

    /// Fragmented before it is sealed.
    fn narrow_packet(&mut self) {
        let mut outgoing = Outgoing::single(&self.small).unwrap();
        let (seal, arena, mut count) = (self.outbound.seal().unwrap(), &mut self.arena, 0);
        let each = |piece: &mut Outgoing<'_>| {
            count += 1;
            seal.seal_burst(piece, arena).map(|_| ())
        };
        self.narrow.in_fragments(&mut outgoing, 1000, each).unwrap();
        assert_eq!(count, 2);
    }

    /// Padded, at a constant rate.
    fn covered_packet(&mut self, cover: &mut Cover, now: Duration) {
        assert_eq!(cover.offer(&mut Outgoing::single(&self.small).unwrap()), Ok(0));
        let due = cover.due(now);
        let burst = self.outbound.seal().unwrap().seal_cover(cover, due, &mut self.arena).unwrap();
        assert_eq!(burst.count, due as usize);
    }
}

#[test]
fn the_allocator_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![1u8; 100]))), 1);
}

#[test]
fn the_data_path_allocates_nothing_once_it_is_warm() {
    let mut pipeline = Pipeline::new();
    let mut cover = Cover::new(Duration::ZERO, 12_000, 1500, 1438);
    let mut round = |now: u64| {
        pipeline.outbound.set_padding(Padding::None, 1438);
        pipeline.super_packet();
        pipeline.narrow_packet();
        pipeline.outbound.set_padding(Padding::Full, 1438);
        pipeline.covered_packet(&mut cover, Duration::from_millis(now));
    };
    // The coalescer's frames grow with the first batches.
    (0..3).for_each(&mut round);
    assert_eq!(allocations(|| (3..200).for_each(&mut round)), 0);
}

/// A spoke, its hub and another spoke: each decides, and the hub relays.
#[test]
fn the_policy_decides_and_a_hub_takes_its_hop_without_an_allocation() {
    let site = |n: u8, hub: Option<u32>| Site {
        name: format!("site {n}"),
        identity: [n; 32],
        prefixes: vec![format!("10.{n}.0.0/16").parse().unwrap()],
        organ: Some(Organ::Court),
        hub,
        groups: Some(vec!["north".into()]),
    };
    let rule = |a, b, via| Rule { a, b, filters: vec![], via };
    let north = || Members::Group("north".into());
    let rules =
        vec![rule(Members::Organ(Organ::Court), Members::TheirHub, None), rule(north(), north(), Some(Via::CommonHub))];
    let sites = vec![site(0, None), site(1, Some(0)), site(2, Some(0))];
    let bundle = Bundle { version: bundle::VERSION, serial: 1, sites, pairs: vec![], rules: Some(rules), bypass: None };
    let spd = |n: u8| Spd::new(bundle.clone().accept(None).unwrap(), &[n; 32]).unwrap();
    let [hub, near, far] = [0, 1, 2].map(spd);
    let mut packet = udp("10.1.0.1".parse().unwrap(), "10.2.0.1".parse().unwrap(), (1, 2), &[7; 100]);
    let selector = Selector::parse(&packet).unwrap();
    let mut decide = || {
        packet[8] = 64;
        assert_eq!(near.outbound(&selector), Ok(SiteIndex(0)));
        assert_eq!(hub.arrival(SiteIndex(1), &packet), Ok(Arrival::Relay(SiteIndex(2))));
        hop::take(&mut packet).unwrap();
        assert_eq!(far.arrival(SiteIndex(0), &packet), Ok(Arrival::Here));
    };
    assert_eq!(allocations(|| (0..100).for_each(|_| decide())), 0);
}
