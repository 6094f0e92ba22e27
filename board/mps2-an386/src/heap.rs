//! The heap: a fixed part of SSRAM2/3.

use core::mem::MaybeUninit;
use core::ptr::addr_of_mut;

use embedded_alloc::LlffHeap;

/// What the board allocates from. At its limit of connections a handshake takes 39 KB; PIN hashing takes 64 KB; the engine's
/// objects the rest.
const BYTES: usize = 3 * 1024 * 1024;

#[global_allocator]
static HEAP: LlffHeap = LlffHeap::empty();

static mut MEMORY: [MaybeUninit<u8>; BYTES] = [MaybeUninit::uninit(); BYTES];

/// Gives the heap its memory. The first thing `main` does, once.
pub fn start() {
    // SAFETY: `MEMORY` is used here and nowhere else, and `main`, which runs once, is the only caller; it is never freed.
    unsafe { HEAP.init(addr_of_mut!(MEMORY) as usize, BYTES) }
}

/// Overwrites all of it. Nothing on the heap may be used after that.
pub fn wipe() {
    let start = addr_of_mut!(MEMORY).cast::<u8>();
    for byte in 0..BYTES {
        // SAFETY: within `MEMORY`; who calls this has not begun to use the heap, or uses it no more.
        unsafe { start.add(byte).write_volatile(0) };
    }
}

/// Bytes in use and bytes free.
pub fn usage() -> (usize, usize) {
    (HEAP.used(), HEAP.free())
}
