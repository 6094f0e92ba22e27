//! Where things lie in a board's flash; offsets from its start.
//!
//! ```text
//! 0x00_0000  factory page   64 KiB   written once, at manufacture
//! 0x01_0000  boot counter    8 KiB   two sectors, used in turn
//! 0x10_0000  store           the rest of what the board gives it
//! ```

/// The erase unit every board's flash has, or a multiple of it.
pub const SECTOR: u32 = 4096;
/// The factory page.
pub const FACTORY: core::ops::Range<u32> = 0..0x1_0000;
/// The boot counter's two sectors.
pub const BOOTS: core::ops::Range<u32> = 0x1_0000..0x1_2000;
/// Where the store starts.
pub const STORE_START: u32 = 0x10_0000;
