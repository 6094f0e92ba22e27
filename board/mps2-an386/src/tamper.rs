//! The tamper line (R15). QEMU drives no pin of this machine, so the receiver of UART1 stands for one: any byte is an event. On a
//! real board it is a pin with the case's switch and mesh on it.
//!
//! Its interrupt asks nobody: the page is destroyed, the heap is wiped, and the processor reset, within milliseconds of
//! whatever the engine was doing, as no critical section and no other handler is long. What was being written is as after a cut
//! of power. The boot stage wipes the stack.

use core::ptr;

use coloa_bringup::tamper::strike;
use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::{NVIC, SCB};

use crate::flash::Flash;
use crate::{heap, log};

const UART1: usize = 0x4000_5000;
const CTRL: usize = UART1 + 0x08;
const BAUDDIV: usize = UART1 + 0x10;
/// Receiver and its interrupt on (CMSDK APB UART, ARM DDI 0479 §4.3).
const RECEIVE: u32 = 1 << 1 | 1 << 3;
/// The least that the UART takes.
const DIVISOR: u32 = 16;

/// The interrupt of UART1's receiver (ARM DAI 0386 table 3-3).
#[derive(Clone, Copy)]
pub struct Line;

// SAFETY: 2 is the receiver's number and within the vector table.
unsafe impl InterruptNumber for Line {
    fn number(self) -> u16 {
        2
    }
}

/// Watches the line from now on.
pub fn watch(nvic: &mut NVIC) {
    write(BAUDDIV, DIVISOR);
    write(CTRL, RECEIVE);
    // SAFETY: its handler never returns, so no critical section can be broken by it.
    unsafe {
        nvic.set_priority(Line, 0);
        NVIC::unmask(Line);
    }
}

/// The line has told.
pub fn told() -> ! {
    // Nobody else's use of the flash goes on after this.
    let counted = strike(&mut Flash::take());
    heap::wipe();
    log!("TAMPERED: keys destroyed ({counted:?}); restarting");
    SCB::sys_reset()
}

fn write(register: usize, value: u32) {
    // SAFETY: `register` is one of the constants above, which ARM DAI 0386 maps to UART1; the UART writes no memory.
    unsafe { ptr::with_exposed_provenance_mut::<u32>(register).write_volatile(value) }
}
