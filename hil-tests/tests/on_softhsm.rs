//! The suite on SoftHSM2: it shows that a check asks for PKCS#11 and not for us.

#![forbid(unsafe_code)]

use coloa_hil_tests::{body::SoftHsm, suite};

fn main() -> std::process::ExitCode {
    suite::main(SoftHsm::start)
}
