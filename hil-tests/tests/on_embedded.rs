//! The suite on the embedded body.

#![forbid(unsafe_code)]

use coloa_hil_tests::{body::Embedded, built, suite};

fn main() -> std::process::ExitCode {
    suite::main(|| {
        built::build(&["coloa-pkcs11", "coloa-p11bench"])?;
        Embedded::start()
    })
}
