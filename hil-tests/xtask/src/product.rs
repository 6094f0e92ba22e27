//! demo, playground and bench: built here, with progress, then handed to the stand.

use crate::run;
use crate::setup::{self, Need};
use anyhow::{Context, Result, bail};
use coloa_xtask::progress::Task;
use coloa_xtask::stand::{Body, Part, Stand};

/// The stand, and what every application of a token needs.
const BASE: &[&str] = &["coloa-hil-tests", "coloa-pkcs11"];
/// The appliance and its administration.
const APPLIANCE: &[&str] = &["coloa-appliance", "coloa-cli"];
/// The link and the certificates for it.
const LINK: &[&str] = &["coloa-linkd", "coloa-pki"];
const BENCHMARK: &[&str] = &["coloa-p11bench"];

/// Runs one of the stand's subcommands with the words that we were given.
pub fn main(what: &Stand) -> Result<()> {
    let (need, dev) = match what {
        Stand::Demo(demo) => (Need::Demo, demo.dev),
        Stand::Bench(_) => (Need::Bench, false),
        Stand::Playground(_) => (Need::Demo, false),
    };
    let profile = if dev { "debug" } else { "release" };
    let target = run::target()?;
    let mut stand = target.join(profile).join("coloa-stand");
    // what runs can be ended even when the tree does not build, by whichever stand started it
    let built = ["release", "debug"].map(|profile| target.join(profile).join("coloa-stand"));
    if let Some(there) = built.into_iter().find(|file| ends(what) && file.is_file()) {
        stand = there;
    } else {
        setup::ensure(need)?;
        build(&packages(what), dev)?;
        if let Stand::Bench(bench) = what
            && bench.parts().contains(&Part::Operations)
        {
            crate::kryoptic::build()?;
        }
        if needs_firmware(what) {
            crate::firmware::build()?;
        }
    }
    let mut c = run::program(stand);
    c.args(std::env::args_os().skip(1));
    // relative paths are the caller's, not the root's
    if let Some(folder) = std::env::var_os("PWD") {
        c.current_dir(folder);
    }
    let status = c.status().context("cannot start the stand")?;
    if !status.success() {
        bail!("not everything went well; see above");
    }
    Ok(())
}

fn ends(what: &Stand) -> bool {
    match what {
        Stand::Demo(demo) => demo.stop,
        Stand::Playground(p) => p.stop,
        Stand::Bench(_) => false,
    }
}

fn needs_firmware(what: &Stand) -> bool {
    match what {
        Stand::Demo(demo) => !demo.stop,
        Stand::Playground(p) => p.body == Some(Body::Qemu),
        Stand::Bench(_) => false,
    }
}

fn packages(what: &Stand) -> Vec<&'static str> {
    let parts: &[&[&str]] = match what {
        Stand::Demo(_) => &[BASE, APPLIANCE, LINK],
        Stand::Bench(_) => &[BASE, APPLIANCE, LINK, BENCHMARK],
        Stand::Playground(p) if p.body == Some(Body::Appliance) => &[BASE, APPLIANCE],
        Stand::Playground(_) => &[BASE],
    };
    parts.concat()
}

fn build(packages: &[&str], dev: bool) -> Result<()> {
    let task = Task::start(if dev { "building the product" } else { "building the product, optimised" });
    let mut c = run::cargo(&["build", "--locked"]);
    if !dev {
        c.arg("--release");
    }
    packages.iter().for_each(|name| {
        c.args(["--package", name]);
    });
    run::quiet(task, &mut c)
}
