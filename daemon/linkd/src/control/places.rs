//! Places for handshakes that others began (R34): a bounded number at once, few for one address, and when all are taken, the
//! stranger that has proved nothing for longest gives way. So a flood from any number of addresses costs a bounded memory,
//! and who comes in earnest still finds a place for as long as a handshake takes.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::oneshot;

/// Handshakes at once: after a power cut all of a hub's 3,355 sites come back together. About 20 KB each.
pub const MAX_HANDSHAKES: usize = 4096;
/// Handshakes at once from one address, so that no stranger takes all places: TCP has proved the address. An IPv6 stranger
/// has a /64 at least (RFC 6177), which counts as one.
pub const MAX_FROM_ONE: usize = 8;

/// All places.
#[derive(Clone, Default)]
pub struct Places(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    from: HashMap<IpAddr, usize>,
    taken: usize,
    next: u64,
    /// Who may be asked to give way, the oldest first.
    unproved: BTreeMap<u64, (IpAddr, oneshot::Sender<()>)>,
}

/// One handshake's place; given back when dropped.
pub struct Place {
    places: Places,
    number: u64,
    from: IpAddr,
    /// Nothing for who need not give way.
    eviction: Option<oneshot::Receiver<()>>,
}

impl Places {
    /// A place for who comes from this address. Someone `known` is never asked to give way.
    pub fn take(&self, from: IpAddr, known: bool) -> Option<Place> {
        let from = network(from);
        let mut table = self.table();
        if table.from.get(&from).is_some_and(|mine| *mine >= MAX_FROM_ONE) {
            return None;
        }
        if table.taken >= MAX_HANDSHAKES {
            table.evict_oldest()?;
        }
        table.enter(from);
        let number = table.next;
        let eviction = (!known).then(|| {
            let (sender, eviction) = oneshot::channel();
            table.unproved.insert(number, (from, sender));
            eviction
        });
        drop(table);
        Some(Place { places: self.clone(), number, from, eviction })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl Table {
    fn enter(&mut self, from: IpAddr) {
        let mine = self.from.entry(from).or_default();
        *mine = mine.saturating_add(1);
        self.taken = self.taken.saturating_add(1);
        self.next = self.next.wrapping_add(1);
    }

    fn leave(&mut self, from: IpAddr) {
        self.taken = self.taken.saturating_sub(1);
        if let Some(mine) = self.from.get_mut(&from) {
            *mine = mine.saturating_sub(1);
            if *mine == 0 {
                self.from.remove(&from);
            }
        }
    }

    /// Dropping its sender tells the one that gives way.
    fn evict_oldest(&mut self) -> Option<()> {
        let (_, (from, _told)) = self.unproved.pop_first()?;
        self.leave(from);
        Some(())
    }
}

impl Place {
    /// Comes true when the place was given to another.
    pub async fn lost(&mut self) {
        match &mut self.eviction {
            Some(told) => {
                let _ = told.await;
            }
            None => std::future::pending().await,
        }
    }

    /// The handshake is done and the peer admitted: it need not give way any more. False when it just had to.
    pub fn prove(&mut self) -> bool {
        let kept = self.eviction.is_none() || self.places.table().unproved.remove(&self.number).is_some();
        if kept {
            self.eviction = None;
        }
        kept
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.places.table();
        let evicted = self.eviction.is_some() && table.unproved.remove(&self.number).is_none();
        if !evicted {
            table.leave(self.from);
        }
    }
}

/// Whose address it is.
fn network(from: IpAddr) -> IpAddr {
    match from {
        IpAddr::V4(_) => from,
        IpAddr::V6(host) => match host.to_ipv4_mapped() {
            Some(v4) => v4.into(),
            None => Ipv6Addr::from_bits(host.to_bits() & !u128::from(u64::MAX)).into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: usize) -> IpAddr {
        std::net::Ipv4Addr::from_bits(u32::try_from(number).expect("small")).into()
    }

    fn is_lost(place: &mut Place) -> bool {
        place.eviction.as_mut().is_some_and(|told| told.try_recv() == Err(oneshot::error::TryRecvError::Closed))
    }

    #[test]
    fn one_address_cannot_take_all_places() {
        let places = Places::default();
        let [stranger, peer]: [IpAddr; 2] = ["192.0.2.9", "192.0.2.1"].map(|a| a.parse().expect("address"));
        let mut held: Vec<Place> = (0..MAX_FROM_ONE).filter_map(|_| places.take(stranger, false)).collect();
        assert_eq!(held.len(), MAX_FROM_ONE);
        assert!(places.take(stranger, false).is_none());
        assert!(places.take(peer, false).is_some());
        held.pop();
        assert!(places.take(stranger, false).is_some(), "a place given back is free");
    }

    #[test]
    fn a_network_of_ipv6_addresses_is_one_stranger() {
        let places = Places::default();
        let from = |host: usize| format!("2001:db8::{host:x}").parse().expect("address");
        let held: Vec<Place> = (0..=MAX_FROM_ONE).filter_map(|host| places.take(from(host), false)).collect();
        assert_eq!(held.len(), MAX_FROM_ONE);
        assert!(places.take("2001:db8:0:1::1".parse().expect("address"), false).is_some());
    }

    #[test]
    fn the_oldest_stranger_gives_way_but_nobody_who_is_known_or_proved() {
        let places = Places::default();
        let mut held: Vec<Place> = (0..MAX_HANDSHAKES).filter_map(|n| places.take(address(n), n == 0)).collect();
        assert_eq!(held.len(), MAX_HANDSHAKES);
        assert!(held[1].prove());
        let newcomer = places.take(address(1 << 20), false).expect("a place");
        let lost: Vec<bool> = held.iter_mut().take(4).map(is_lost).collect();
        assert_eq!(lost, [false, false, true, false]);
        assert!(!held[2].prove(), "too late");
        drop((held, newcomer));
        let table = places.table();
        assert_eq!((table.taken, table.from.len(), table.unproved.len()), (0, 0, 0), "every place was given back once");
    }

    #[test]
    fn when_all_are_proved_a_newcomer_waits() {
        let places = Places::default();
        let _held: Vec<Place> = (0..MAX_HANDSHAKES).filter_map(|n| places.take(address(n), true)).collect();
        assert!(places.take(address(1 << 20), true).is_none());
    }
}
