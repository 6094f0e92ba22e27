//! The boot stage of ARM's MPS2 AN386 (QEMU's `mps2-an386`): the first code that runs, and the only that nobody checks.
//!
//! On a real board it lies in ROM or in flash that is locked at manufacture; QEMU loads it as its kernel. It asks
//! [`coloa_bringup::boot`] which of the two firmware slots may run (R23), copies that image to where it is linked, and jumps.
//! It draws no random number, opens no key and speaks to nobody; the factory page's secrets are wiped before the image runs.
#![no_std]
#![no_main]

extern crate alloc;

#[path = "../../mps2-an386/src/console.rs"]
mod console;
#[path = "../../mps2-an386/src/faults.rs"]
mod faults;
#[path = "../../mps2-an386/src/flash.rs"]
mod flash;
#[expect(dead_code, reason = "only the image says how much is free")]
#[path = "../../mps2-an386/src/heap.rs"]
mod heap;

use alloc::format;
use alloc::string::{String, ToString};
use core::ptr;
use core::slice;

use coloa_bringup::FactoryPage;
use coloa_bringup::boot::{Chosen, select};
use coloa_bringup::entropy::InsecureSeed;
use coloa_bringup::factory::PageError;
use coloa_bringup::tamper::{self, Tampered};
use coloa_crypto_portable::Portable;
use coloa_image::Refusal;
use cortex_m::peripheral::SCB;
use cortex_m_rt::entry;

use flash::Flash;

/// What a manifest must call this board.
const BODY: &str = "mps2-an386";
/// Where images are linked (`board/mps2-an386/memory.x`), and how much room there is.
const IMAGE: usize = 0x0008_0000;
const ROOM: usize = 3584 * 1024;

/// Where the stack ends (memory.x).
const STACK: usize = 0x2000_0000;
/// What is in use below the stack's pointer, at most.
const FRAME: usize = 1024;

#[entry]
fn main() -> ! {
    clear();
    heap::start();
    console::start();
    log!("Co Loa boot stage {} on MPS2 AN386", env!("CARGO_PKG_VERSION"));
    match choose() {
        Ok(chosen) => {
            let slot = if chosen.slot == 0 { 'A' } else { 'B' };
            log!("firmware {} in slot {slot} is signed; nothing below {} may run", chosen.version, chosen.lowest);
            run()
        }
        Err(why) => halt(&why),
    }
}

/// Nothing that ran before leaves its secrets in memory: it may have been reset in the middle of anything (R15).
fn clear() {
    heap::wipe();
    let top = cortex_m::register::msp::read() as usize;
    for address in (STACK..top.saturating_sub(FRAME)).step_by(4) {
        // SAFETY: the stack's memory below what this function and its callee use, which nothing refers to.
        unsafe { ptr::with_exposed_provenance_mut::<u32>(address).write_volatile(0) };
    }
}

fn choose() -> Result<Chosen, String> {
    let mut flash = Flash::take();
    let page = FactoryPage::read(&mut flash).map_err(|why| no_page(&mut flash, &why))?;
    let trust = page.firmware_trust().map_err(|why| why.to_string())?;
    let seed = page.insecure_seed.as_ref().ok_or("this machine has no random number generator, its page no seed")?;
    // The provider wants a source; checking signatures draws nothing from it.
    let provider = Portable::<_, spin::Mutex<()>>::new(InsecureSeed::new(seed, 0), BODY.as_bytes());
    let provider = provider.map_err(|why| format!("no cryptography: {why:?}"))?;
    tamper::returned(&mut flash, &provider, BODY).map_err(|why| why.to_string())?;
    // SAFETY: SSRAM1 above the boot stage is memory that the linker gives to nothing, and this is the only reference to it.
    let memory = unsafe { slice::from_raw_parts_mut(ptr::with_exposed_provenance_mut::<u8>(IMAGE), ROOM) };
    select(&mut flash, &provider, &trust, BODY, memory).map_err(|why| why.to_string())
}

/// A page that a tamper event destroyed is not merely missing (R15).
fn no_page(flash: &mut Flash, why: &PageError) -> String {
    match tamper::events(flash) {
        Ok(0) | Err(_) => why.to_string(),
        Ok(events) => Tampered { events, why: Refusal::Missing }.to_string(),
    }
}

/// Hands the processor over to the image: its vectors, its stack, its first instruction.
fn run() -> ! {
    // SAFETY: `select` put a signed image at `IMAGE`, which begins with its vector table; no interrupt is on, nothing here is
    // used any more, and the image sets up all memory anew.
    unsafe {
        (*SCB::PTR).vtor.write(IMAGE as u32);
        cortex_m::asm::dsb();
        cortex_m::asm::isb();
        cortex_m::asm::bootload(ptr::with_exposed_provenance(IMAGE))
    }
}

fn halt(why: &str) -> ! {
    log!("cannot start: {why}");
    loop {
        cortex_m::asm::wfi();
    }
}
