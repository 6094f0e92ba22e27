//! The boot counter against flash that forgets power at every write.

mod flash;

use coloa_bringup::boots::count;
use coloa_bringup::counter::CounterError;
use flash::Flash;

#[test]
fn boots_are_numbered_one_after_the_other_over_many_sectors() {
    let mut flash = Flash::new();
    for boot in 1..=1700 {
        assert_eq!(count(&mut flash), Ok(boot));
    }
}

#[test]
fn power_lost_at_any_byte_never_repeats_a_number() {
    // Around the turn from one sector to the other and back: 512 entries a sector.
    for start in [0, 1, 510, 511, 512, 1023, 1024] {
        let mut before = Flash::new();
        let last = (0..start).map(|_| count(&mut before).unwrap()).last().unwrap_or(0);
        for budget in (0..24).chain((24..4090).step_by(211)).chain(4090..4112) {
            let mut flash = Flash { budget, ..before.clone() };
            let seen = count(&mut flash).ok();
            flash.budget = usize::MAX;
            let next = count(&mut flash).expect("a later boot succeeds");
            assert!(next > last && Some(next) > seen, "after {last}: saw {seen:?}, then {next}, budget {budget}");
        }
    }
}

#[test]
fn flash_that_keeps_nothing_stops_the_boot() {
    let mut flash = Flash::new();
    flash.cells.fill(0);
    flash.budget = 0;
    assert_eq!(count(&mut flash), Err(CounterError::Flash));
}
