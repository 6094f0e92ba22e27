//! Python's two ways to PKCS#11.

use super::examples;
use crate::built;
use crate::token::Token;
use anyhow::Result;

/// The examples with python-pkcs11 and PyKCS11, in the environment that `cargo xtask setup` makes.
pub fn examples_work(token: &Token) -> Result<()> {
    let python = built::root().join("target/python/bin/python");
    let program = |name| vec![python.clone(), built::root().join("examples/python").join(name)];
    examples::work(token, &[program("with_python_pkcs11.py"), program("with_pykcs11.py")])
}
