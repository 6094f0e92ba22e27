//! Boards on a host: [`manufacture`] does what a factory does, [`Qemu`] is the board.
//!
//! ```no_run
//! # use coloa_boardkit::PartitionMode;
//! # fn main() -> anyhow::Result<()> {
//! let dir = std::path::Path::new("/tmp/board");
//! let firmware = coloa_boardkit::build_image()?;
//! let files = coloa_boardkit::manufacture(dir, PartitionMode::Strict, &firmware)?;
//! let board = coloa_boardkit::Qemu::start(&firmware, &files.flash)?;
//! println!("TLS 1.3 at 127.0.0.1:{}, client {}", board.port(), files.client_certificate.display());
//! # Ok(())
//! # }
//! ```
//! For development and tests: the keys it makes lie in files.
#![forbid(unsafe_code)]

mod image;
mod provision;
mod qemu;
mod release;

pub use coloa_wire::command::PartitionMode;
pub use coloa_xtask::image::flat;
pub use image::{Firmware, build_image};
pub use provision::{Provisioned, manufacture, provision};
pub use qemu::{Qemu, TAMPER_LINE, command};
pub use release::{BODY, Release, install, install_new};

/// The name in the board's certificate; it also names 127.0.0.1 and `localhost`.
pub const SERVER_NAME: &str = "board.coloa.test";
