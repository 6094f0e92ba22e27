//! `cargo xtask demo`: one signature and one packet through every layer, each line judged by a program that is not ours.

mod appliance;
mod application;
mod board;
mod embedded;
mod link;
mod report;

use anyhow::{Context, Result, bail};
use coloa_hil_tests::background::stop_all;
use coloa_hil_tests::built;
use coloa_hil_tests::network::Namespace;
use coloa_xtask::stand::Demo;
use report::Report;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Namespaces of the demo start with this.
const PREFIX: &str = "coloa-demo";

/// The parts, in the order of the story: a folder each.
const PARTS: &[(&str, Part)] =
    &[("appliance", appliance::show), ("board", board::show), ("embedded", embedded::show), ("link", link::show)];

type Part = fn(&mut Report, &Scene) -> Result<()>;

/// Where a part plays, and whether it stays.
pub struct Scene {
    dir: PathBuf,
    keep: bool,
}

/// `cargo xtask demo`
pub fn main(args: &Demo) -> Result<()> {
    let stage = built::root().join("target/demo");
    let ended = clear(&stage)?;
    if args.stop {
        println!("{ended} processes ended; nothing of the demo is left");
        return Ok(());
    }
    std::fs::create_dir_all(&stage)?;
    let since = Instant::now();
    let mut report = Report::default();
    for (name, show) in PARTS {
        let scene = Scene { dir: stage.join(name), keep: args.keep };
        std::fs::create_dir_all(&scene.dir)?;
        if let Err(e) = show(&mut report, &scene) {
            report.broken(name, &e);
        }
    }
    if !args.keep {
        stop_everything(&stage)?;
    }
    println!("\n{}", report.table());
    let (good, all) = report.verdicts();
    println!(
        "{good} of {all} verdicts are good, in {:.0} s. Files: {}",
        since.elapsed().as_secs_f64(),
        stage.display()
    );
    if args.keep {
        look_around(&stage);
    }
    if good < all {
        bail!("the lines with ✘ say what went wrong");
    }
    Ok(())
}

/// Ends what an earlier run left, and removes its files and namespaces.
fn clear(stage: &Path) -> Result<usize> {
    let ended = stop_everything(stage)?;
    link::namespaces(PREFIX).iter().for_each(|name| Namespace::remove(name));
    if stage.exists() {
        std::fs::remove_dir_all(stage).with_context(|| format!("cannot remove {}", stage.display()))?;
    }
    Ok(ended)
}

fn stop_everything(stage: &Path) -> Result<usize> {
    let folders = PARTS.iter().map(|(name, _)| stage.join(name)).chain([stage.join("link/sites")]);
    folders.map(|dir| stop_all(&dir)).sum()
}

fn look_around(stage: &Path) {
    println!("\nIt is still running. Look around:");
    for part in ["appliance", "board", "embedded"] {
        println!("  . {0}/{part}/env && pkcs11-tool --module $PKCS11_MODULE --list-token-slots", stage.display());
    }
    println!("  ip netns exec {PREFIX}-red-a ping 10.2.0.1              through the link");
    println!("  ip netns exec {PREFIX}-black-b tcpdump -ni wire0        what the black wire shows");
    println!("  {} status --config {}/link/sites/site-a.toml", shown("coloa-linkd"), stage.display());
    println!("  cargo xtask demo --stop                                 end it");
}

fn shown(program: &str) -> String {
    built::program(program).map_or_else(|_| program.to_owned(), |path| path.display().to_string())
}
