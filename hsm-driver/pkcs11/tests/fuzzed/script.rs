//! An input, read as choices.

use cryptoki_sys::CK_ULONG;

/// Lengths and numbers that nobody can have.
const WILD: [CK_ULONG; 6] =
    [CK_ULONG::MAX, CK_ULONG::MAX - 15, 1 << 63, (1 << 63) - 1, CK_ULONG::MAX / 24 + 1, 1 << 40];

/// What is left of an input. When it is used up, every choice is 0.
#[derive(Clone, Copy)]
pub struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    pub fn new(input: &'a [u8]) -> Self {
        Script(input)
    }

    /// Two of one: the first byte says how long the first is.
    pub fn split(mut self) -> (Self, Self) {
        let at = usize::from(self.byte()).min(self.0.len());
        let (first, second) = self.0.split_at(at);
        (Script(first), Script(second))
    }

    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// At most so many bytes.
    pub fn bytes(&mut self, most: usize) -> &'a [u8] {
        let (now, later) = self.0.split_at(most.min(self.0.len()));
        self.0 = later;
        now
    }

    pub fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    /// One of fewer than 256.
    pub fn below(&mut self, count: usize) -> usize {
        usize::from(self.byte()) % count
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// In one of so many cases.
    pub fn once_in(&mut self, count: usize) -> bool {
        self.below(count) == count - 1
    }

    pub fn wild(&mut self) -> CK_ULONG {
        self.pick(&WILD)
    }

    /// Any number: a small one, one that means something, a wild one.
    pub fn word(&mut self, known: &[CK_ULONG]) -> CK_ULONG {
        match self.byte() % 8 {
            0 => self.wild(),
            1 => self.bytes(8).iter().fold(0, |all, byte| all << 8 | CK_ULONG::from(*byte)),
            2 | 3 => self.byte().into(),
            _ if known.is_empty() => self.byte().into(),
            _ => self.pick(known),
        }
    }
}
