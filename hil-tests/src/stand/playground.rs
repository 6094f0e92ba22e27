//! `cargo xtask playground`: a token for anyone.

use anyhow::{Context, Result, bail};
use coloa_hil_tests::background::stop_all;
use coloa_hil_tests::body::{Appliance, Board, Embedded, Home};
use coloa_hil_tests::target::Target;
use coloa_xtask::progress::Task;
use coloa_xtask::stand::{Body, Playground};
use std::fmt::Write;
use std::path::Path;

/// `cargo xtask playground`
pub fn main(args: &Playground) -> Result<()> {
    if args.stop {
        return stop(&args.dir);
    }
    let Some(body) = args.body else { bail!("--body is missing: embedded, appliance or qemu") };
    let home = Home::kept(&args.dir)?;
    of_one_body(home.path(), body)?;
    // what an earlier run left must go, or two bodies would share a store
    stop_all(home.path())?;
    let task = Task::start(format!("starting the {body:?} body").to_lowercase());
    let dir = home.path().to_owned();
    let target: Box<dyn Target> = match body {
        Body::Embedded => Box::new(Embedded::start_in(home)?),
        Body::Qemu => Box::new(Board::start_in(home)?),
        Body::Appliance => Box::new(Appliance::with_token(home)?),
    };
    task.done();
    write_environment(&dir, target.as_ref())?;
    println!("token `bench`, user PIN 123456, SO PIN 12345678. In a shell: . '{}'", dir.join("env").display());
    Ok(())
}

fn stop(dir: &Path) -> Result<()> {
    if !dir.is_dir() {
        bail!("{} is no playground: there is no such folder", dir.display());
    }
    match stop_all(dir)? {
        0 => println!("nothing ran for {}", dir.display()),
        n => println!("{n} ended; the files of {} stay", dir.display()),
    }
    Ok(())
}

/// A folder belongs to the body it was made for: another one would not find its keys there.
fn of_one_body(dir: &Path, body: Body) -> Result<()> {
    let file = dir.join("body");
    let name = format!("{body:?}").to_lowercase();
    match std::fs::read_to_string(&file) {
        Ok(made_for) if made_for.trim() != name => {
            bail!("{} is a playground of the body {}; take another --dir", dir.display(), made_for.trim())
        }
        _ => std::fs::write(&file, name).with_context(|| format!("cannot write {}", file.display())),
    }
}

fn write_environment(dir: &Path, target: &dyn Target) -> Result<()> {
    let mut text = String::from("# to be sourced: where an application finds the token `bench`\n");
    for (key, value) in target.environment() {
        writeln!(text, "export {}='{}'", key.display(), value.display())?;
    }
    writeln!(text, "export PKCS11_MODULE='{}'", target.module().display())?;
    let file = dir.join("env");
    std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
}
