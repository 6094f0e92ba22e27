//! The LAN9118 Ethernet controller (SMSC LAN9118 data sheet, rev. 1.3), as smoltcp's device.
//!
//! Frames go through its FIFOs word by word; there is no DMA, so no buffer outlives a call. What it delivers is hostile; here
//! only its length is looked at.

use core::ptr;

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use cortex_m_rt::exception;
use smoltcp::phy::{self, Device, DeviceCapabilities, Medium};
use smoltcp::time::Instant;
use smoltcp::wire::EthernetAddress;

use crate::tamper::{self, Line};

const BASE: usize = 0x4020_0000;

const RX_DATA: usize = 0x00;
const TX_DATA: usize = 0x20;
const RX_STATUS: usize = 0x40;
const TX_STATUS: usize = 0x48;
const IRQ_CFG: usize = 0x54;
const INT_STS: usize = 0x58;
const INT_EN: usize = 0x5c;
const BYTE_TEST: usize = 0x64;
const FIFO_INT: usize = 0x68;
const TX_CFG: usize = 0x70;
const HW_CFG: usize = 0x74;
const RX_FIFO_INF: usize = 0x7c;
const TX_FIFO_INF: usize = 0x80;
const MAC_CSR_CMD: usize = 0xa4;
const MAC_CSR_DATA: usize = 0xa8;

const MAC_CR: u32 = 1;
const MAC_ADDRH: u32 = 2;
const MAC_ADDRL: u32 = 3;

/// Reads back as this when the bus is alive (§5.3.5).
const BYTE_TEST_VALUE: u32 = 0x8765_4321;
const SOFT_RESET: u32 = 1;
const CSR_BUSY: u32 = 1 << 31;
const CSR_READ: u32 = 1 << 30;
/// Full duplex, transmitter and receiver on (§5.4.1).
const MAC_ON: u32 = 1 << 20 | 1 << 3 | 1 << 2;
/// Transmitter on; a status nobody read may be overwritten (§5.3.8).
const TX_ON: u32 = 1 << 1 | 1 << 2;
/// Interrupt line on, active high, push-pull (§5.3.2).
const IRQ_ON: u32 = 1 << 8 | 1 << 4 | 1;
/// A frame waits (§5.3.3).
const RX_STATUS_LEVEL: u32 = 1 << 3;
const RX_ERROR: u32 = 1 << 15;
const CRC: usize = 4;
/// Largest frame without its CRC.
const FRAME: usize = 1514;
/// Commands A and B and the frame, in the transmit FIFO.
const TX_ROOM: u32 = 8 + 1536;

/// The board's interrupt of this controller (ARM DAI 0386 table 3-3).
#[derive(Clone, Copy)]
struct EthernetIrq;

// SAFETY: 13 is the controller's number and within the vector table.
unsafe impl InterruptNumber for EthernetIrq {
    fn number(self) -> u16 {
        13
    }
}

/// The controller, switched on.
pub struct Ethernet {
    frame: [u8; FRAME],
}

impl Ethernet {
    /// Resets the controller and switches it on; `None` when it does not answer.
    pub fn start() -> Option<Self> {
        if read(BYTE_TEST) != BYTE_TEST_VALUE {
            return None;
        }
        write(HW_CFG, SOFT_RESET);
        while read(HW_CFG) & SOFT_RESET != 0 {}
        write(TX_CFG, TX_ON);
        write_mac(MAC_CR, MAC_ON);
        write(FIFO_INT, 0);
        write(INT_STS, u32::MAX);
        write(INT_EN, RX_STATUS_LEVEL);
        write(IRQ_CFG, IRQ_ON);
        Some(Self { frame: [0; FRAME] })
    }

    /// The address in the controller's EEPROM.
    pub fn address(&self) -> EthernetAddress {
        let [a, b, c, d] = read_mac(MAC_ADDRL).to_le_bytes();
        let [e, f, ..] = read_mac(MAC_ADDRH).to_le_bytes();
        EthernetAddress([a, b, c, d, e, f])
    }

    /// Sleeps until a frame or the clock's next tick comes.
    pub fn wait(&mut self) {
        cortex_m::interrupt::disable();
        if !waiting() {
            write(INT_STS, RX_STATUS_LEVEL);
            // SAFETY: the handler of this interrupt only masks it again; no critical section depends on its mask.
            unsafe { NVIC::unmask(EthernetIrq) };
            // Wakes on a pending interrupt though interrupts are off, so a frame that came since `waiting` is not missed.
            cortex_m::asm::wfi();
        }
        // SAFETY: they were on before; no critical section is open here.
        unsafe { cortex_m::interrupt::enable() };
    }

    fn take_frame(&mut self) -> Option<usize> {
        while waiting() {
            let status = read(RX_STATUS);
            let delivered = (status >> 16 & 0x3fff) as usize;
            let length = delivered.saturating_sub(CRC);
            let good = status & RX_ERROR == 0 && length <= FRAME;
            for word in 0..delivered.div_ceil(4) {
                let bytes = read(RX_DATA).to_le_bytes();
                let rest = self.frame.get_mut(word * 4..).unwrap_or_default();
                rest.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
            }
            if good {
                return Some(length);
            }
        }
        None
    }
}

fn waiting() -> bool {
    read(RX_FIFO_INF) >> 16 & 0xff != 0
}

// SAFETY: it masks one interrupt and touches nothing that the interrupted code holds.
#[exception]
unsafe fn DefaultHandler(number: i16) {
    if u16::try_from(number) == Ok(Line.number()) {
        tamper::told();
    }
    // It only wakes the processor; `Ethernet::wait` unmasks it again.
    NVIC::mask(EthernetIrq);
}

impl Device for Ethernet {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Transmitter;

    fn receive(&mut self, _: Instant) -> Option<(Received<'_>, Transmitter)> {
        let transmitter = self.transmit(Instant::ZERO)?;
        let length = self.take_frame()?;
        Some((Received(self.frame.get(..length)?), transmitter))
    }

    fn transmit(&mut self, _: Instant) -> Option<Transmitter> {
        (read(TX_FIFO_INF) & 0xffff >= TX_ROOM).then_some(Transmitter)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME;
        capabilities
    }
}

/// A frame that came.
pub struct Received<'a>(&'a [u8]);

impl phy::RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, understand: F) -> R {
        understand(self.0)
    }
}

/// Room for one frame in the transmit FIFO.
pub struct Transmitter;

impl phy::TxToken for Transmitter {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        let mut frame = [0; FRAME];
        let length = length.min(FRAME);
        let result = fill(frame.get_mut(..length).unwrap_or_default());
        // First and last segment in one, then the length twice (§3.11.3).
        write(TX_DATA, 1 << 13 | 1 << 12 | length as u32);
        write(TX_DATA, length as u32);
        for word in frame.chunks(4).take(length.div_ceil(4)) {
            let mut bytes = [0; 4];
            bytes.iter_mut().zip(word).for_each(|(to, from)| *to = *from);
            write(TX_DATA, u32::from_le_bytes(bytes));
        }
        while read(TX_FIFO_INF) >> 16 & 0xff != 0 {
            read(TX_STATUS);
        }
        result
    }
}

fn read_mac(register: u32) -> u32 {
    write(MAC_CSR_CMD, CSR_BUSY | CSR_READ | register);
    while read(MAC_CSR_CMD) & CSR_BUSY != 0 {}
    read(MAC_CSR_DATA)
}

fn write_mac(register: u32, value: u32) {
    write(MAC_CSR_DATA, value);
    write(MAC_CSR_CMD, CSR_BUSY | register);
    while read(MAC_CSR_CMD) & CSR_BUSY != 0 {}
}

fn read(register: usize) -> u32 {
    // SAFETY: `register` is one of the constants above, within the controller's 256 bytes; it touches no memory.
    unsafe { ptr::with_exposed_provenance::<u32>(BASE + register).read_volatile() }
}

fn write(register: usize, value: u32) {
    // SAFETY: as in `read`; the controller has no DMA, so a write changes nothing but the controller.
    unsafe { ptr::with_exposed_provenance_mut::<u32>(BASE + register).write_volatile(value) }
}
