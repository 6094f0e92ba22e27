//! Policy over the links (R37): who has a newer signed policy says its serial, whoever is behind asks for it piece by piece,
//! and believes it for the policy authority's signature alone: which peer it came from means nothing.
//!
//! Nothing is sent unasked but the serial; one piece is on its way at a time, so a slow line sets the pace.

use std::sync::Arc;

use super::Control;
use super::message::{CHUNK, Message, Piece};
use crate::policy::bundle::MAX_BUNDLE;

/// The bundle in force, as it was signed.
#[derive(Clone, Debug)]
pub struct Held {
    /// Its serial.
    pub serial: u64,
    /// The file.
    pub file: Arc<[u8]>,
}

/// What a session fetches.
#[derive(Default)]
pub struct Handing {
    fetching: Option<Fetching>,
    /// What this peer handed over was refused: it is not asked again in this session.
    gave_up: bool,
}

struct Fetching {
    serial: u64,
    octets: Vec<u8>,
}

/// What to do after a piece has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// Say this.
    Ask(Message),
    /// All of it is here: judge it.
    Whole(Vec<u8>),
}

impl Handing {
    /// The peer says which serial it has; answered with a question if ours is older.
    pub fn told(&mut self, theirs: u64, ours: u64) -> Option<Message> {
        let known = self.fetching.as_ref().is_some_and(|fetching| fetching.serial >= theirs);
        if self.gave_up || known || theirs <= ours {
            return None;
        }
        self.fetching = Some(Fetching { serial: theirs, octets: Vec::new() });
        Some(Message::Want { serial: theirs, offset: 0 })
    }

    /// A piece has come; an error ends the session.
    pub fn piece(&mut self, piece: Piece, octets: &[u8]) -> Result<Progress, String> {
        let fetching = self.fetching.as_mut().ok_or("the peer sent a piece of policy that nobody asked for")?;
        let (have, total) = (fetching.octets.len() as u64, u64::from(piece.total));
        let length = octets.len() as u64;
        let fits = piece.serial == fetching.serial && u64::from(piece.offset) == have && total <= MAX_BUNDLE;
        if !fits || length == 0 || have.saturating_add(length) > total {
            return Err("the peer sent a piece of policy that does not fit".into());
        }
        fetching.octets.extend_from_slice(octets);
        if have.saturating_add(length) == total {
            return Ok(Progress::Whole(self.fetching.take().map(|all| all.octets).unwrap_or_default()));
        }
        let offset = piece.offset.saturating_add(u32::from(piece.length));
        Ok(Progress::Ask(Message::Want { serial: piece.serial, offset }))
    }

    /// What came was refused.
    pub fn give_up(&mut self) {
        self.gave_up = true;
    }
}

impl Held {
    /// The piece that a peer asked for; if we no longer have that policy, the serial of ours.
    pub fn piece(&self, serial: u64, offset: u32) -> (Message, &[u8]) {
        let rest = usize::try_from(offset).ok().and_then(|at| self.file.get(at..)).unwrap_or_default();
        let octets = rest.get(..CHUNK).unwrap_or(rest);
        let sizes = u32::try_from(self.file.len()).ok().zip(u16::try_from(octets.len()).ok());
        match sizes.filter(|(_, length)| serial == self.serial && *length > 0) {
            Some((total, length)) => (Message::Piece(Piece { serial, total, offset, length }), octets),
            None => (Message::News { serial: self.serial }, &[]),
        }
    }
}

/// Judges what a peer handed over, and keeps it for the guard. For a thread that may wait for the disk.
pub fn judge(control: &Control, file: &[u8]) -> Result<u64, String> {
    control.sources().keep(file, &control.admission.trust(), control.held().serial)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(octets: usize) -> Held {
        Held { serial: 9, file: (0..octets).map(|n| n as u8).collect() }
    }

    /// Fetches from `held`, with pieces as they come.
    fn fetch(held: &Held) -> Vec<u8> {
        let mut handing = Handing::default();
        let mut asked = handing.told(held.serial, 3).expect("it is newer");
        loop {
            let Message::Want { serial, offset } = asked else { panic!("{asked:?}") };
            let (Message::Piece(piece), octets) = held.piece(serial, offset) else { panic!("no piece") };
            match handing.piece(piece, octets).expect("it fits") {
                Progress::Ask(next) => asked = next,
                Progress::Whole(file) => return file,
            }
        }
    }

    #[test]
    fn a_policy_comes_whole_in_pieces() {
        for octets in [1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7] {
            let held = held(octets);
            assert_eq!(fetch(&held), &*held.file, "{octets}");
        }
    }

    #[test]
    fn only_what_is_newer_is_asked_for_and_what_was_refused_not_again() {
        let mut handing = Handing::default();
        assert_eq!((handing.told(3, 3), handing.told(2, 3)), (None, None));
        assert_eq!(handing.told(4, 3), Some(Message::Want { serial: 4, offset: 0 }));
        assert_eq!(handing.told(4, 3), None, "it is on its way");
        assert_eq!(handing.told(5, 3), Some(Message::Want { serial: 5, offset: 0 }), "a newer one came meanwhile");
        handing.give_up();
        assert_eq!(handing.told(6, 3), None);
    }

    #[test]
    fn pieces_that_do_not_fit_end_it() {
        let good = Piece { serial: 9, total: 8, offset: 0, length: 4 };
        assert!(Handing::default().piece(good, &[0; 4]).is_err(), "nobody asked");
        let wrong = [
            (Piece { serial: 8, ..good }, 4),
            (Piece { offset: 1, ..good }, 4),
            (Piece { total: 3, ..good }, 4),
            (Piece { total: u32::MAX, ..good }, 4),
            (good, 0),
        ];
        for (piece, length) in wrong {
            let mut handing = Handing::default();
            handing.told(9, 0);
            assert!(handing.piece(piece, &vec![0; length]).is_err(), "{piece:?}");
        }
    }

    #[test]
    fn a_policy_that_is_gone_is_answered_with_the_one_that_is_there() {
        let held = held(5);
        assert_eq!(held.piece(8, 0).0, Message::News { serial: 9 });
        assert_eq!(held.piece(9, 5).0, Message::News { serial: 9 });
        assert_eq!(held.piece(9, u32::MAX).0, Message::News { serial: 9 });
    }
}
