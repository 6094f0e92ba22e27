//! Boards on a host: [`provision`] does what manufacture does, [`Qemu`] is the board.
//!
//! ```no_run
//! # use coloa_boardkit::PartitionMode;
//! # fn main() -> anyhow::Result<()> {
//! let dir = std::path::Path::new("/tmp/board");
//! let files = coloa_boardkit::provision(dir, PartitionMode::Strict)?;
//! let image = coloa_boardkit::build_image()?;
//! let board = coloa_boardkit::Qemu::start(&image, &files.flash)?;
//! println!("TLS 1.3 at 127.0.0.1:{}, client {}", board.port(), files.client_certificate.display());
//! # Ok(())
//! # }
//! ```
//! For development and tests: the keys it makes lie in files.
#![forbid(unsafe_code)]

mod image;
mod provision;
mod qemu;

pub use coloa_wire::command::PartitionMode;
pub use image::build_image;
pub use provision::{Provisioned, provision};
pub use qemu::{Qemu, command};

/// The name in the board's certificate; it also names 127.0.0.1 and `localhost`.
pub const SERVER_NAME: &str = "board.coloa.test";
