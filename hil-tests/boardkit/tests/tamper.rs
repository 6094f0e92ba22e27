//! The tamper line of the board in QEMU: its keys go, it says so at every start, and a quorum has it run again (R15).

mod client;

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use client::{config, connect};
use coloa_boardkit::{BODY, PartitionMode, Qemu, Release, TAMPER_LINE, build_image, manufacture};
use coloa_bringup::FactoryPage;
use coloa_bringup::layout::{FACTORY, GENERATION, RETURN, SLOTS, STORE_START};

/// Another board of the factory gives this one its page and its firmware; the counters, the testament and what it was
/// tampered with stay.
fn provision_again(flash: &Path, from: &Path) -> Result<Vec<u8>> {
    let (mut bytes, new) = (fs::read(flash)?, fs::read(from)?);
    bytes[STORE_START as usize..].fill(0xff);
    bytes[GENERATION.start as usize..GENERATION.end as usize].fill(0xff);
    for part in [FACTORY, SLOTS[0].clone(), SLOTS[1].clone()] {
        let part = part.start as usize..part.end as usize;
        bytes[part.clone()].copy_from_slice(&new[part]);
    }
    fs::write(flash, &bytes)?;
    Ok(bytes[..FACTORY.len()].to_vec())
}

fn put(flash: &Path, at: u32, part: &[u8]) -> Result<()> {
    let mut bytes = fs::read(flash)?;
    bytes[at as usize..][..part.len()].copy_from_slice(part);
    Ok(fs::write(flash, bytes)?)
}

fn says(board: &Qemu, what: &str) -> Result<()> {
    let since = Instant::now();
    while !board.console().contains(what) {
        ensure!(since.elapsed() < Duration::from_secs(60), "not said: {what}\n{}", board.console());
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

#[test]
fn a_board_that_is_opened_loses_its_keys_and_a_quorum_has_it_run_again() -> Result<()> {
    let (dir, firmware) = (tempfile::tempdir()?, build_image()?);
    let files = manufacture(dir.path(), PartitionMode::Strict, &firmware)?;
    let page = FactoryPage::parse(&fs::read(&files.flash)?).expect("a page");
    let board = Qemu::start(&firmware, &files.flash)?;
    let channel = connect(&config(&files, &files)?, board.port())?;
    UnixStream::connect(dir.path().join(TAMPER_LINE))?.write_all(b"!")?;
    says(&board, "TAMPERED")?;
    says(&board, "cannot start: this board was tampered with, event 1")?;
    drop((channel, board));
    let flash = fs::read(&files.flash)?;
    for secret in [&page.root_key[..], &page.private_key[..]] {
        assert!(!flash.windows(secret.len()).any(|window| window == secret), "a secret is left");
    }
    let halts = || -> Result<String> {
        let why = Qemu::start(&firmware, &files.flash).err().context("it must not run")?;
        Ok(format!("{why:#}"))
    };
    assert!(halts()?.contains("tampered with, event 1"));

    // Provisioned anew it does not run before its custodians have signed the page.
    let other = tempfile::tempdir()?;
    let new = manufacture(other.path(), PartitionMode::Strict, &firmware)?;
    provision_again(&files.flash, &new.flash)?;
    assert!(halts()?.contains("tampered with, event 1"));
    let region = provision_again(&files.flash, &new.flash)?;
    let body = format!("{BODY}-return");
    let release = Release { body: &body, image: &region, version: "0.0.1", lowest: "0.0.0" };
    put(&files.flash, RETURN.start, &release.manifest(&files, &[0, 2])?)?;
    let board = Qemu::start(&firmware, &files.flash)?;
    connect(&config(&new, &new)?, board.port())?;
    Ok(())
}
