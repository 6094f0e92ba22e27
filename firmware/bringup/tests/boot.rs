//! Which image the boot stage runs: signed by a quorum, never an older one than may, wherever the power goes (R23, R2, R6).

mod flash;

use coloa_bringup::boot::{Chosen, Halt, select};
use coloa_bringup::counter;
use coloa_bringup::layout::{IMAGE, LOWEST, SLOTS};
use coloa_crypto_native::Native;
use coloa_engine::Crypto;
use coloa_engine::crypto::{Curve, Hash, KeyKind, PairKind, Scheme};
use coloa_image::{Custodian, Manifest, Refusal, Statement, Trust, Version, Voice, key_id};
use flash::Flash;

const P384: PairKind = PairKind::Ec(Curve::P384);
const BODY: &str = "test-board";
const BOTH: &[u8] = &[1, 2];

fn secret(n: u8) -> Vec<u8> {
    [vec![0; 47], vec![n]].concat()
}

fn trust() -> Trust {
    let custodian = |n| Custodian { name: format!("{n}"), key: Native.public(P384, &secret(n)).unwrap() };
    Trust::new(2, (1..=3).map(custodian).collect()).unwrap()
}

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

/// An image that says its version.
fn image(text: &str) -> Vec<u8> {
    format!("image {text}").repeat(100).into_bytes()
}

fn manifest(body: &str, (text, lowest): (&str, &str), by: &[u8]) -> Vec<u8> {
    let image = image(text);
    let digest = Native.digest(Hash::Sha384, &[&image]).as_ref().try_into().unwrap();
    let (version, lowest) = (version(text), version(lowest));
    let statement = Statement { body: body.into(), version, lowest, length: image.len() as u64, digest };
    let mut manifest = Manifest::new(statement).unwrap();
    for n in by {
        let key = Native.load(KeyKind::Pair(P384), &secret(*n)).unwrap();
        let text = Native.digest(Hash::Sha384, &[&manifest.text()]);
        let signature = Native.sign(&key, Scheme::Ecdsa, text.as_ref()).unwrap().try_into().unwrap();
        let key = key_id(&Native, &Native.public(P384, &secret(*n)).unwrap());
        manifest.add(Voice { key, signature }).unwrap();
    }
    manifest.to_bytes()
}

fn install(flash: &mut Flash, slot: usize, manifest: &[u8], image: &[u8]) {
    let start = SLOTS[slot].start as usize;
    flash.cells[start..SLOTS[slot].end as usize].fill(0xff);
    flash.cells[start..][..manifest.len()].copy_from_slice(manifest);
    flash.cells[start + IMAGE as usize..][..image.len()].copy_from_slice(image);
}

/// A board with this version in slot A.
fn board(versions: (&str, &str)) -> Flash {
    let mut flash = Flash::new();
    install(&mut flash, 0, &manifest(BODY, versions, BOTH), &image(versions.0));
    flash
}

fn boot(flash: &mut Flash) -> Result<(Chosen, Vec<u8>), Halt> {
    let mut memory = vec![0xaa; 8192];
    let chosen = select(flash, &Native, &trust(), BODY, &mut memory);
    if chosen.is_err() {
        assert!(!memory.windows(6).any(|w| w == b"image "), "what may not run does not stay in memory");
    }
    chosen.map(|chosen| (chosen, memory))
}

fn refused(flash: &mut Flash) -> [Refusal; 2] {
    match boot(flash) {
        Err(Halt::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_image_that_a_quorum_signed_runs_and_nothing_is_behind_it() {
    let (chosen, memory) = boot(&mut board(("1.0.0", "1.0.0"))).unwrap();
    let length = image("1.0.0").len();
    let one = version("1.0.0");
    assert_eq!(chosen, Chosen { slot: 0, version: one, length, lowest: one });
    assert_eq!(memory[..length], image("1.0.0"));
    assert!(memory[length..].iter().all(|byte| *byte == 0));
}

#[test]
fn an_image_that_no_quorum_signed_does_not_run() {
    for by in [&[][..], &[1], &[1, 9], &[8, 9]] {
        let mut flash = Flash::new();
        install(&mut flash, 0, &manifest(BODY, ("1.0.0", "1.0.0"), by), &image("1.0.0"));
        let [a, b] = refused(&mut flash);
        assert!(matches!(a, Refusal::Quorum { needed: 2, .. }), "{by:?}: {a}");
        assert_eq!(b, Refusal::Missing);
        assert_eq!(counter::read(&mut flash, &LOWEST), Ok(0));
    }
    let mut other = Flash::new();
    install(&mut other, 0, &manifest("other-board", ("1.0.0", "1.0.0"), BOTH), &image("1.0.0"));
    assert_eq!(refused(&mut other)[0], Refusal::Body("other-board".into()));
}

#[test]
fn a_changed_image_does_not_run_and_the_other_slot_does() {
    let mut flash = board(("1.0.0", "1.0.0"));
    install(&mut flash, 1, &manifest(BODY, ("1.1.0", "1.0.0"), BOTH), &image("1.1.0"));
    assert_eq!(boot(&mut flash).unwrap().0.version, version("1.1.0"));
    flash.cells[(SLOTS[1].start + IMAGE) as usize + 7] ^= 1;
    let (chosen, memory) = boot(&mut flash).unwrap();
    assert_eq!((chosen.slot, chosen.version), (0, version("1.0.0")));
    assert!(memory.starts_with(&image("1.0.0")));
    flash.cells[(SLOTS[0].start + IMAGE) as usize] ^= 1;
    assert_eq!(refused(&mut flash), [Refusal::Digest, Refusal::Digest]);
}

/// Once a version has run that ends older ones, they do not run, whatever lies in the slots.
#[test]
fn firmware_is_not_rolled_back() {
    let mut flash = board(("1.0.0", "1.0.0"));
    boot(&mut flash).unwrap();
    install(&mut flash, 1, &manifest(BODY, ("1.2.0", "1.1.0"), BOTH), &image("1.2.0"));
    assert_eq!(boot(&mut flash).unwrap().0.lowest, version("1.1.0"));
    flash.cells[SLOTS[1].start as usize] = 0;
    let [a, b] = refused(&mut flash);
    assert_eq!(a, Refusal::RolledBack { version: version("1.0.0"), lowest: version("1.1.0") });
    assert_eq!(b, Refusal::Missing);
    // One between the lowest and the newest may: the quorum said so.
    install(&mut flash, 0, &manifest(BODY, ("1.1.5", "1.0.0"), BOTH), &image("1.1.5"));
    let (chosen, _) = boot(&mut flash).unwrap();
    assert_eq!((chosen.version, chosen.lowest), (version("1.1.5"), version("1.1.0")), "and the lowest does not fall");
}

/// The power fails at any byte of the rise: the next boot runs the new version, and after a boot that ran it nothing older does.
#[test]
fn power_lost_while_the_lowest_version_rises_lets_nothing_older_run_later() {
    for rises in [0_u32, 1, 510, 511, 512, 513] {
        let mut before = board(("2.0.0", "2.0.0"));
        for n in 1..=rises {
            counter::raise(&mut before, &LOWEST, n).unwrap();
        }
        for budget in (0..12).chain((12..4096).step_by(997)).chain(4096..4108) {
            let mut flash = before.clone();
            flash.budget = budget;
            let ran = boot(&mut flash).is_ok();
            flash.budget = usize::MAX;
            let lowest = counter::read(&mut flash, &LOWEST).unwrap();
            assert!(lowest == rises || lowest == version("2.0.0").0, "{rises}, {budget}: {lowest}");
            assert!(!ran || lowest == version("2.0.0").0, "it ran, so older ones are over: {rises}, {budget}");
            assert_eq!(boot(&mut flash).unwrap().0.lowest, version("2.0.0"));
        }
    }
}

/// An update that was cut off at any point leaves a board that runs: the slot in use is not touched.
#[test]
fn an_update_that_was_cut_off_leaves_the_old_image_running() {
    let good = manifest(BODY, ("1.1.0", "1.0.0"), BOTH);
    for cut in (0..good.len()).step_by(13) {
        let mut flash = board(("1.0.0", "1.0.0"));
        install(&mut flash, 1, &good[..cut], &image("1.1.0"));
        assert_eq!(boot(&mut flash).unwrap().0.slot, 0, "manifest cut at {cut}");
    }
    let mut flash = board(("1.0.0", "1.0.0"));
    install(&mut flash, 1, &good, &image("1.1.0")[..700]);
    assert_eq!(boot(&mut flash).unwrap().0.slot, 0);
}

/// A length that a quorum signed but no slot or memory has room for ends in a refusal, not past the end.
#[test]
fn an_image_too_long_for_memory_is_refused() {
    let mut flash = board(("1.0.0", "1.0.0"));
    let mut memory = vec![0; 100];
    let halted = select(&mut flash, &Native, &trust(), BODY, &mut memory).unwrap_err();
    assert_eq!(halted, Halt::Refused([Refusal::Digest, Refusal::Missing]));
}
