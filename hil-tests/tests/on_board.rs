//! The suite on the firmware image in QEMU.

#![forbid(unsafe_code)]

use coloa_hil_tests::{body::Board, built, suite};

fn main() -> std::process::ExitCode {
    suite::main(|| {
        built::build(&["coloa-pkcs11"])?;
        Board::start()
    })
}
