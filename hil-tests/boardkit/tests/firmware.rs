//! The boot stage in QEMU: what it lets run, and what not (R23, R2, R6).

use std::fs;

use anyhow::{Context, Result};
use coloa_boardkit::{
    BODY, Firmware, PartitionMode, Provisioned, Qemu, Release, build_image, flat, install, install_new, provision,
};
use coloa_bringup::layout::{IMAGE, SLOTS};
use tempfile::TempDir;

struct Bench {
    firmware: Firmware,
    image: Vec<u8>,
    files: Provisioned,
    _dir: TempDir,
}

impl Bench {
    /// A board without firmware.
    fn new() -> Result<Self> {
        let (firmware, dir) = (build_image()?, tempfile::tempdir()?);
        let image = flat(&fs::read(&firmware.image)?)?;
        let files = provision(dir.path(), PartitionMode::Strict)?;
        Ok(Bench { firmware, image, files, _dir: dir })
    }

    fn install(&self, slot: usize, (version, lowest): (&str, &str), signers: &[usize]) -> Result<()> {
        let release = Release { body: BODY, image: &self.image, version, lowest };
        install(&self.files.flash, slot, &release.manifest(&self.files, signers)?, &self.image)
    }

    fn runs(&self) -> Result<String> {
        Ok(Qemu::start(&self.firmware, &self.files.flash)?.console())
    }

    fn halts(&self) -> Result<String> {
        let why = Qemu::start(&self.firmware, &self.files.flash).err().context("nothing may run")?;
        let why = format!("{why:#}");
        assert!(!why.contains("self-tests passed"), "the image did not run: {why}");
        Ok(why)
    }

    fn change(&self, at: u32) -> Result<()> {
        let mut flash = fs::read(&self.files.flash)?;
        flash[at as usize] ^= 1;
        Ok(fs::write(&self.files.flash, flash)?)
    }
}

#[test]
fn a_board_runs_what_two_of_three_custodians_signed_and_nothing_else() -> Result<()> {
    let bench = Bench::new()?;
    assert!(bench.halts()?.contains("there is no firmware manifest"));
    bench.install(0, ("1.0.0", "1.0.0"), &[1])?;
    assert!(bench.halts()?.contains("signed by 1 of the 2 custodians"));
    bench.install(0, ("1.0.0", "1.0.0"), &[2, 0])?;
    assert!(bench.runs()?.contains("firmware 1.0.0 in slot A is signed"));
    // One bit of code, far inside the image.
    bench.change(SLOTS[0].start + IMAGE + 200_000)?;
    assert!(bench.halts()?.contains("not the image that was signed"));
    Ok(())
}

#[test]
fn a_board_does_not_go_back_to_what_it_has_left() -> Result<()> {
    let bench = Bench::new()?;
    install_new(&bench.files, &bench.firmware)?;
    assert!(bench.runs()?.contains("nothing below 0.1.0 may run"));
    bench.install(1, ("0.3.0", "0.2.0"), &[0, 2])?;
    let said = bench.runs()?;
    assert!(said.contains("firmware 0.3.0 in slot B") && said.contains("nothing below 0.2.0 may run"), "{said}");
    // The new image is spoilt; the old one, signed by a quorum, is still in slot A.
    bench.change(SLOTS[1].start)?;
    let why = bench.halts()?;
    assert!(why.contains("slot A: the firmware is version 0.1.0, and nothing below 0.2.0 may run any more"), "{why}");
    Ok(())
}
