//! The suite on the appliance.

#![forbid(unsafe_code)]

use coloa_hil_tests::{body::Appliance, built, suite};

fn main() -> std::process::ExitCode {
    suite::main(|| {
        built::build(&["coloa-pkcs11", "coloa-appliance", "coloa-cli", "coloa-p11bench"])?;
        Appliance::start()
    })
}
