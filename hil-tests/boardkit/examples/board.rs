//! Provisions a board in a directory, unless there is one, builds the image and runs it in the foreground:
//! `cargo run -p coloa-boardkit --example board -- DIR [PORT]`

use std::path::PathBuf;

use coloa_boardkit::{PartitionMode, build_image, command, manufacture};

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let dir = PathBuf::from(args.next().unwrap_or_else(|| "target/board".into()));
    let port = args.next().map_or(Ok(7443), |port| port.parse())?;
    let flash = dir.join("flash.bin");
    let firmware = build_image()?;
    if !flash.exists() {
        manufacture(&dir, PartitionMode::Strict, &firmware)?;
    }
    println!("TLS on 127.0.0.1:{port}; ca.pem, client.pem, client.key in {}; Ctrl-C ends it", dir.display());
    command(&firmware, &flash, "stdio", port).status()?;
    Ok(())
}
