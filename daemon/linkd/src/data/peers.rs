//! A table by peer number that grows as peers become known.

use super::PeerNumber;

/// One value a peer.
pub struct Peers<T>(Vec<T>);

impl<T> Peers<T> {
    /// No peer yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The peer's value; made with `vacant`, with those before it, when it is new.
    pub fn admit(&mut self, peer: PeerNumber, vacant: impl Fn() -> T) -> Option<&mut T> {
        while self.0.len() <= peer.0 {
            self.0.push(vacant());
        }
        self.0.get_mut(peer.0)
    }

    /// The peer's value, if it is known.
    pub fn get(&mut self, peer: PeerNumber) -> Option<&mut T> {
        self.0.get_mut(peer.0)
    }

    /// How many peers are known.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// All values with their numbers.
    pub fn iter(&mut self) -> impl Iterator<Item = (PeerNumber, &mut T)> {
        self.0.iter_mut().enumerate().map(|(number, value)| (PeerNumber(number), value))
    }
}
