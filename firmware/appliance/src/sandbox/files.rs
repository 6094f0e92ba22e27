//! The file system and the network, by Landlock.

use super::{Places, Wall};
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus, Scope, make_bitflags,
};
use std::path::Path;

/// What is asked for; an older kernel gives what it knows.
const KNOWN: ABI = ABI::V6;

/// Why there is no wall.
pub(super) type Why = Box<dyn std::error::Error>;

/// No file but those of the places, no port that is not bound yet, no way to other processes.
pub(super) fn restrict(places: &Places) -> Result<Wall, Why> {
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(KNOWN))?
        .handle_access(make_bitflags!(AccessNet::{BindTcp | ConnectTcp}))?
        .scope(make_bitflags!(Scope::{AbstractUnixSocket | Signal}))?
        .create()?
        .add_rule(beneath(&places.store, in_the_store())?)?
        .add_rule(beneath(&places.configuration, make_bitflags!(AccessFs::{ReadFile}))?)?
        .add_rule(beneath(&places.socket, make_bitflags!(AccessFs::{RemoveFile}))?)?;
    Ok(match ruleset.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced => Wall::Whole,
        RulesetStatus::PartiallyEnforced => Wall::Partial,
        RulesetStatus::NotEnforced => return Err("the kernel does not have it (CONFIG_SECURITY_LANDLOCK, lsm=)".into()),
    })
}

/// Plain files and folders of a store; nothing there is run, and no device or socket is made.
fn in_the_store() -> BitFlags<AccessFs> {
    make_bitflags!(AccessFs::{
        ReadFile | WriteFile | Truncate | ReadDir | MakeReg | MakeDir | RemoveFile | RemoveDir | Refer
    })
}

fn beneath(place: &Path, access: BitFlags<AccessFs>) -> Result<PathBeneath<PathFd>, Why> {
    // A file in the working directory has no folder to its name.
    let place = if place.as_os_str().is_empty() { Path::new(".") } else { place };
    let beneath = PathBeneath::new(PathFd::new(place)?, access);
    Ok(beneath)
}
