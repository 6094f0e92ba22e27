//! Provisions a board in a directory, unless there is one, builds the image and runs it in the foreground:
//! `cargo run -p coloa-boardkit --example board -- DIR [PORT]`

use std::path::PathBuf;

use coloa_boardkit::PartitionMode;

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let dir = PathBuf::from(args.next().unwrap_or_else(|| "target/board".into()));
    let port = args.next().map_or(Ok(7443), |port| port.parse())?;
    let flash = dir.join("flash.bin");
    if !flash.exists() {
        coloa_boardkit::provision(&dir, PartitionMode::Strict)?;
    }
    let image = coloa_boardkit::build_image()?;
    println!("TLS on 127.0.0.1:{port}; ca.pem, client.pem, client.key in {}; Ctrl-C ends it", dir.display());
    coloa_boardkit::command(&image, &flash, "stdio", port).status()?;
    Ok(())
}
