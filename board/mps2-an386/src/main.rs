//! Cổ Loa on ARM's MPS2 AN386 (Cortex-M4F), the board everyone has: QEMU's `mps2-an386`.
//!
//! ```text
//! 0x0000_0000  SSRAM1  512 KiB   the boot stage (`board/mps2-an386-boot`), which put this image where it is
//! 0x0008_0000          3.5 MiB   the image
//! 0x2000_0000  SSRAM2/3  256 KiB stack; when it overflows it meets unmapped addresses
//! 0x2004_0000            ...     data, then 3 MiB of heap
//! 0x2100_0000  PSRAM    16 MiB   stands for NOR flash: factory page, counters, store, firmware slots
//! 0x4000_4000  UART0             console, output only
//! 0x4000_5000  UART1             its receiver stands for a tamper line
//! 0x4020_0000  LAN9118           Ethernet
//! ```
//!
//! Registers, memory map and wiring; what a board decides and computes is in the crates it wires together. Build it with
//! `cargo +thumb build --profile firmware --target thumbv7em-none-eabihf -p coloa-board-mps2-an386`, or `cargo xtask firmware`,
//! which also says how to run it.
//!
//! This machine has no random number generator and no key storage. Its entropy is a seed in the factory page and the number of
//! the boot, and whoever reads the flash file knows every key. It says so in every banner.
#![no_std]
#![no_main]

extern crate alloc;

mod body;
mod clock;
mod console;
mod ethernet;
mod faults;
mod flash;
mod heap;
mod network;
mod random;
mod serve;
mod tamper;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;

use coloa_bringup::commission::commission;
use coloa_bringup::entropy::{INSECURE, InsecureSeed};
use coloa_bringup::{FactoryPage, boots, layout};
use coloa_engine::{Crypto, Engine, StartError};
use coloa_tls_portable::config::{Identity, server_config};
use cortex_m_rt::entry;
use rustls::ServerConfig;
use rustls_pki_types::PrivatePkcs8KeyDer;
use zeroize::Zeroizing;

use body::{Mps2, Provider, SinceManufacture, Store};
use ethernet::Ethernet;
use flash::Flash;
use network::Network;
use random::Random;

/// The store's part of the flash.
const STORE: core::ops::Range<u32> = layout::STORE_START..layout::STORE_START + 4 * 1024 * 1024;

#[entry]
fn main() -> ! {
    heap::start();
    console::start();
    if let Some(mut core) = cortex_m::Peripherals::take() {
        clock::start(core.SYST);
        tamper::watch(&mut core.NVIC);
    }
    log!("Co Loa {} on MPS2 AN386, emulated: FOR DEVELOPMENT, NOT AN HSM", env!("CARGO_PKG_VERSION"));
    match start() {
        Ok((network, config, engine)) => serve::serve(network, config, engine),
        Err(why) => halt(&why),
    }
}

/// Everything up to the first connection.
fn start() -> Result<(Network, Arc<ServerConfig>, Engine<Mps2>), String> {
    let mut flash = Flash::take();
    let page = FactoryPage::read(&mut flash).map_err(|why| why.to_string())?;
    let boot = boots::count(&mut flash).map_err(|why| format!("cannot count this boot: {why:?}"))?;
    log!("serial {}, boot {boot}", page.serial);
    let provider = provider(&page, boot)?;
    let clock = SinceManufacture(page.manufactured);
    let engine = engine(&page, flash, provider, clock)?;
    log!("self-tests passed, store open, {:?}", engine.lifecycle());
    let ethernet = Ethernet::start().ok_or("the Ethernet controller does not answer")?;
    let network = Network::start(ethernet, page.address, number(provider)?);
    let config = tls(&page, provider, clock).map_err(|why| why.to_string())?;
    let [a, b, c, d] = page.address.own;
    log!("serving TLS 1.3 on {a}.{b}.{c}.{d}:{}; heap {} bytes free", page.address.port, heap::usage().1);
    Ok((network, config, engine))
}

fn provider(page: &FactoryPage, boot: u32) -> Result<&'static Provider, String> {
    let seed = page.insecure_seed.as_ref().ok_or("this machine has no random number generator, its page no seed")?;
    log!("{INSECURE}");
    let provider = Provider::new(InsecureSeed::new(seed, boot), page.serial.as_bytes());
    Ok(Box::leak(Box::new(provider.map_err(|why| format!("no DRBG: {why:?}"))?)))
}

fn engine(
    page: &FactoryPage,
    flash: Flash,
    provider: &'static Provider,
    clock: SinceManufacture,
) -> Result<Engine<Mps2>, String> {
    let store = Store::open(flash, STORE).map_err(|why| format!("the store does not open: {why}"))?;
    let root_key = page.root_key.as_slice().try_into().map_err(|_| "the root key is not 32 bytes")?;
    let platform = Mps2 { provider, store, root_key: Zeroizing::new(root_key), clock };
    let engine = Engine::start(platform).map_err(refused)?;
    commission(&engine, page).map_err(|why| format!("commissioning failed: {why}"))?;
    Ok(engine)
}

fn refused(why: StartError) -> String {
    match why {
        StartError::SelfTest(which) => format!("the self-test of {which} failed; this board must not be used"),
        StartError::Store(why) => format!("the store does not open: {why}"),
    }
}

fn number(provider: &Provider) -> Result<u64, String> {
    let mut bytes = [0; 8];
    provider.random(&mut bytes).map_err(|why| format!("no random number: {why:?}"))?;
    Ok(u64::from_be_bytes(bytes))
}

fn tls(
    page: &FactoryPage,
    provider: &'static Provider,
    clock: SinceManufacture,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let identity = Identity {
        chain: page.certificate_chain.iter().map(|der| der.to_vec()).collect(),
        private_key: PrivatePkcs8KeyDer::from(page.private_key.to_vec()),
        client_anchors: page.client_anchors.iter().map(|der| der.to_vec()).collect(),
    };
    server_config(identity, Box::leak(Box::new(Random(provider))), Arc::new(clock))
}

fn halt(why: &str) -> ! {
    log!("cannot start: {why}");
    loop {
        cortex_m::asm::wfi();
    }
}
