//! `cargo xtask package`: Debian packages of what the project makes. What goes into them stands in each crate's
//! `[package.metadata.deb]`, their scripts and configurations in its `debian` folder.

use crate::{run, tools};
use anyhow::{Context, Result};
use coloa_xtask::progress::Task;
use std::path::{Path, PathBuf};

/// The crates that are packaged; the package that each becomes is named in its metadata.
const CRATES: &[&str] = &["coloa-cli", "coloa-appliance", "coloa-pkcs11", "coloa-linkd"];
/// What goes into them.
const BUILT: &[&str] = &["coloa-cli", "coloa-pki", "coloa-appliance", "coloa-pkcs11", "coloa-linkd"];

/// Build the Debian packages coloa, coloa-appliance, coloa-pkcs11 and coloa-linkd.
///
/// They are installed with `apt install ./FILE.deb`, upgraded the same way, and removed without losing a key: what lies in
/// /var/lib/coloa and what you changed in /etc/coloa stays. Needs Debian or a relative of it.
///
/// Examples:
///   cargo xtask package                      into target/packages
///   cargo xtask package --out /srv/apt/pool
///   cargo xtask package --revision 2         0.1.0-2: the same source, packaged anew
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// The folder for the packages
    #[arg(long, value_name = "D")]
    out: Option<PathBuf>,
    /// Which packaging of this version
    #[arg(long, default_value_t = 1)]
    revision: u32,
    /// Use unoptimised builds, which the tests share
    #[arg(long)]
    dev: bool,
}

/// `cargo xtask package`
pub fn main(args: &Args) -> Result<()> {
    tools::ensure_deb()?;
    let task = Task::start(if args.dev { "building the product" } else { "building the product, optimised" });
    let mut build = run::cargo(&["build", "--locked"]);
    build.args(BUILT.iter().flat_map(|name| ["--package", name]));
    if !args.dev {
        build.arg("--release");
    }
    run::quiet(task, &mut build)?;
    let out = match &args.out {
        Some(folder) => std::path::absolute(folder)?,
        None => run::target()?.join("packages"),
    };
    std::fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    CRATES.iter().try_for_each(|name| package(name, args, &out))?;
    println!("packages: {}", out.display());
    Ok(())
}

fn package(name: &str, args: &Args, out: &Path) -> Result<()> {
    let mut deb = tools::DEB.command();
    deb.args(["--no-build", "--no-dbgsym", "--strip", "--package", name, "--output"]).arg(out);
    deb.args(["--deb-revision", &args.revision.to_string()]);
    if args.dev {
        deb.args(["--profile", "dev"]);
    }
    run::quiet(Task::start(format!("packaging {name}")), &mut deb)
}
