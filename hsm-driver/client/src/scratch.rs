//! Buffers of one call, reused by the next. They may have held a PIN or a plaintext, so they are wiped on drop.

use zeroize::Zeroize;

/// What a call needs to encode a command and to receive its reply.
#[derive(Default)]
pub struct Scratch {
    pub(crate) head: Vec<u8>,
    pub(crate) frame: Vec<u8>,
    pub(crate) reply: Vec<u8>,
    pub(crate) bulk: std::ops::Range<usize>,
}

impl Scratch {
    /// Empty buffers.
    pub fn new() -> Self {
        Self::default()
    }

    /// The bulk of the last call's reply.
    pub fn bulk(&self) -> &[u8] {
        self.reply.get(self.bulk.clone()).unwrap_or_default()
    }

    /// Forgets what the last call carried.
    pub fn wipe(&mut self) {
        self.head.zeroize();
        self.frame.zeroize();
        self.reply.zeroize();
        self.bulk = 0..0;
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.wipe();
    }
}
