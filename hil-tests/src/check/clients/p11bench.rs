//! Our own benchmark, so that it measures what works when it is needed: it verifies the last answer of each run.

use super::{module, plain, run};
use crate::built;
use crate::target::{LABEL, USER_PIN};
use crate::token::Token;
use anyhow::{Result, ensure};
use cryptoki::object::{Attribute, AttributeType};

const OVERLAP: &str = "ecdsa-p256-sign-overlap";

/// Every operation runs; only an engine without a wire has nothing to overlap.
pub fn measures(token: &Token) -> Result<()> {
    let told = bench(token, "all")?;
    let lacking: Vec<_> = told.lines().filter(|line| line.contains("unsupported") && !line.contains(OVERLAP)).collect();
    ensure!(lacking.is_empty() && told.matches(" ops/s ").count() >= 15, "{told}");
    clean(token)
}

/// One thread has many signatures under way.
pub fn overlaps(token: &Token) -> Result<()> {
    let told = bench(token, OVERLAP)?;
    ensure!(told.contains(" ops/s "), "{told}");
    clean(token)
}

fn bench(token: &Token, operations: &str) -> Result<String> {
    let mut bench = plain(token, built::program("p11bench")?);
    bench.arg("--module").arg(module()?).args(["--token", LABEL, "--pin", USER_PIN, "--op", operations]);
    run(bench.args(["--threads", "2", "--seconds", "0.1", "--objects", "50"]))
}

/// Its keys stay for its next run; ours go.
fn clean(token: &Token) -> Result<()> {
    let session = token.user()?;
    for object in session.find_objects(&[Attribute::Token(true)])? {
        let label = session.get_attributes(object, &[AttributeType::Label])?;
        if matches!(label.as_slice(), [Attribute::Label(label)] if label.starts_with(b"p11bench")) {
            session.destroy_object(object)?;
        }
    }
    Ok(())
}
