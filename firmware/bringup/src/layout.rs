//! Where things lie in a board's flash; offsets from its start.
//!
//! ```text
//! 0x00_0000  factory page      64 KiB   written once, at manufacture
//! 0x01_0000  boot counter       8 KiB   two sectors, used in turn
//! 0x01_2000  lowest version     8 KiB   of firmware that may still run; two sectors
//! 0x01_4000  tamper events      8 KiB   their number; two sectors
//! 0x01_6000  testament          4 KiB   who allows a board to return from tampering
//! 0x01_7000  return             4 KiB   what they have signed
//! 0x01_8000  generation         8 KiB   of the store; two sectors
//! 0x10_0000  store              7 MiB   what the board gives it of these
//! 0x80_0000  firmware slot A    4 MiB   manifest, then image
//! 0xc0_0000  firmware slot B    4 MiB   the same
//! ```

use core::ops::Range;

/// The erase unit every board's flash has, or a multiple of it.
pub const SECTOR: u32 = 4096;
/// The factory page.
pub const FACTORY: Range<u32> = 0..0x1_0000;
/// The boot counter's two sectors.
pub const BOOTS: Range<u32> = 0x1_0000..0x1_2000;
/// The two sectors of the lowest version that may run (R23).
pub const LOWEST: Range<u32> = 0x1_2000..0x1_4000;
/// The two sectors of the number of tamper events (R15).
pub const TAMPERS: Range<u32> = 0x1_4000..0x1_6000;
/// See [`crate::tamper`].
pub const TESTAMENT: Range<u32> = 0x1_6000..0x1_7000;
/// A manifest of the new page.
pub const RETURN: Range<u32> = 0x1_7000..0x1_8000;
/// The two sectors of the store's generation (R36).
pub const GENERATION: Range<u32> = 0x1_8000..0x1_a000;
/// Where the store starts.
pub const STORE_START: u32 = 0x10_0000;
/// Where firmware lies: two slots, so that an update never destroys what runs.
pub const SLOTS: [Range<u32>; 2] = [0x80_0000..0xc0_0000, 0xc0_0000..0x100_0000];
/// From a slot's start to its image; before it the manifest.
pub const IMAGE: u32 = 0x1_0000;
