//! The image in QEMU: its channel, and what it does with peers that are not its client.

mod client;

use std::io::{Read, Write};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use client::{config, connect, outdated, tcp};
use coloa_boardkit::{PartitionMode, Provisioned, Qemu, build_image, manufacture, provision};
use coloa_wire::hello::{Body, ClientHello, PROTOCOL, ServerHello};
use coloa_wire::{Frame, FrameKind, command};
use rustls::NamedGroup;
use tempfile::TempDir;

/// A new board, booted; its files vanish with it.
fn board() -> Result<(Qemu, Provisioned, TempDir)> {
    let dir = tempfile::tempdir()?;
    let firmware = build_image()?;
    let files = manufacture(dir.path(), PartitionMode::Strict, &firmware)?;
    let board = Qemu::start(&firmware, &files.flash)?;
    Ok((board, files, dir))
}

/// What the board says of its heap whenever a channel closes.
fn heap_after_each_channel(console: &str) -> Result<Vec<usize>> {
    let closed = console.lines().filter_map(|line| line.strip_prefix("channel closed; heap "));
    closed.map(|rest| Ok(rest.trim_end_matches(" bytes free").parse()?)).collect()
}

/// A hello, and whether the engine answers it as an emulated board.
fn greeted(channel: &mut client::Channel) -> Result<bool> {
    let hello = ClientHello { protocol: PROTOCOL, features: 0, max_frame: 8192, software: "boardkit".into() };
    let (mut head, mut frame) = (Vec::new(), Vec::new());
    command::encode_head(&hello, &mut head);
    Frame { head: &head, ..Frame::status(FrameKind::Hello, 0, 0) }.encode(&mut frame);
    channel.write_all(&frame)?;
    channel.flush()?;
    let mut reply = vec![0; 4];
    channel.read_exact(&mut reply)?;
    reply.resize(4 + u32::from_be_bytes(reply[..4].try_into()?) as usize, 0);
    channel.read_exact(&mut reply[4..])?;
    let reply = Frame::parse(&reply).map_err(|why| anyhow!("{why}"))?;
    let hello: ServerHello = command::decode_head(reply.head).map_err(|why| anyhow!("{why}"))?;
    Ok(hello.body == Body::EmulatedBoard)
}

#[test]
fn the_channel_is_hybrid_and_mutual() -> Result<()> {
    let (board, files, _dir) = board()?;
    let mut channel = connect(&config(&files, &files)?, board.port())?;
    let group = channel.conn.negotiated_key_exchange_group().map(|group| group.name());
    assert_eq!(group, Some(NamedGroup::X25519MLKEM768));
    assert!(greeted(&mut channel)?);
    assert!(board.console().contains("INSECURE SEED"), "the banner must say what this is");
    Ok(())
}

#[test]
fn strangers_and_old_protocols_are_refused_and_the_client_is_still_served() -> Result<()> {
    let (board, files, dir) = board()?;
    let stranger = provision(&dir.path().join("elsewhere"), PartitionMode::Strict)?;
    for config in [config(&stranger, &files)?, outdated(&files, &files)?] {
        let outcome = connect(&config, board.port()).and_then(|mut channel| greeted(&mut channel));
        let why = format!("{:#}", outcome.expect_err("must be refused"));
        assert!(why.contains("alert"), "refused without an alert: {why}");
    }
    tcp(board.port())?.write_all(b"GET / HTTP/1.1\r\n\r\n")?;
    assert!(greeted(&mut connect(&config(&files, &files)?, board.port())?)?);
    Ok(())
}

#[test]
fn connections_that_say_nothing_do_not_shut_the_client_out() -> Result<()> {
    let (board, files, _dir) = board()?;
    let silent = (0..12).map(|_| tcp(board.port())).collect::<Result<Vec<_>>>()?;
    // Who comes in the same instant as a flood of others may be turned away, and comes again.
    let config = config(&files, &files)?;
    let served = (0..50).any(|attempt| {
        std::thread::sleep(Duration::from_millis(100).saturating_mul(attempt.min(1)));
        connect(&config, board.port()).and_then(|mut channel| greeted(&mut channel)).unwrap_or(false)
    });
    assert!(served);
    drop(silent);
    Ok(())
}

#[test]
fn forty_channels_one_after_the_other_and_six_at_once_leave_no_trace() -> Result<()> {
    let (board, files, _dir) = board()?;
    let config = config(&files, &files)?;
    for round in 0..40_u32 {
        let mut channel = connect(&config, board.port())?;
        assert!(greeted(&mut channel)?, "round {round}");
        if round % 2 == 0 {
            channel.conn.send_close_notify();
            channel.flush()?;
        }
    }
    let free = heap_after_each_channel(&board.console())?;
    // The next channel may already be open when one closes: what counts is the most that was free among a few.
    let (early, late) = (free.iter().take(10).max(), free.iter().rev().take(10).max());
    assert!(free.len() > 20 && early.zip(late).is_some_and(|(early, late)| *early < *late + 256), "a leak: {free:?}");
    let mut six = (0..6).map(|_| connect(&config, board.port())).collect::<Result<Vec<_>>>()?;
    for channel in &mut six {
        assert!(greeted(channel)?);
    }
    Ok(())
}

#[test]
fn killed_and_started_again_it_counts_the_boot_and_serves_the_same_client() -> Result<()> {
    let (board, files, _dir) = board()?;
    assert!(board.console().contains("boot 1"));
    drop(connect(&config(&files, &files)?, board.port())?);
    drop(board);
    let board = Qemu::start(&build_image()?, &files.flash)?;
    assert!(board.console().contains("boot 2"), "{}", board.console());
    assert!(greeted(&mut connect(&config(&files, &files)?, board.port())?)?);
    Ok(())
}

#[test]
fn a_board_with_a_damaged_page_or_store_says_so_and_does_not_serve() -> Result<()> {
    let (board, files, _dir) = board()?;
    drop(board);
    let (good, image) = (std::fs::read(&files.flash)?, build_image()?);
    let store = coloa_bringup::layout::STORE_START as usize;
    for (at, what) in [(100, "factory page is damaged"), (0, "no factory page"), (store, "the store does not open")] {
        let mut bad = good.clone();
        bad[at..at + 64].fill(0);
        std::fs::write(&files.flash, bad)?;
        let why = Qemu::start(&image, &files.flash).err().context("must not serve")?;
        assert!(format!("{why:#}").contains(what), "{why:#}");
    }
    Ok(())
}
