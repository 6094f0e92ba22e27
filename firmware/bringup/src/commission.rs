//! Commissioning: a board has no local socket for an administrator, so its factory page says what one would have: one
//! partition, and the clients that may see it.
//!
//! Every step looks before it acts, so a power cut in between is healed by the next boot, and a commissioned board writes
//! nothing.

use alloc::string::String;
use alloc::vec::Vec;

use coloa_engine::{Engine, Peer, Platform};
use coloa_wire::command::{
    ClientBind, DeviceInfo, DeviceInitialize, Lifecycle, PartitionCreate, TokenList, decode_head, encode_head,
};
use coloa_wire::frame::FrameKind;
use coloa_wire::{Command, ErrorCode, Frame, PartitionId};

use crate::channel::client;
use crate::factory::FactoryPage;

/// Who the audit log says did it.
const ADMINISTRATOR: &str = "factory page";

/// Makes the device operational, with one partition that the page's clients may see.
///
/// # Errors
/// The engine's, when it refuses a step: the board then does not serve.
pub fn commission<P: Platform>(engine: &Engine<P>, page: &FactoryPage) -> Result<(), ErrorCode> {
    let administrator = Peer::Administrator(ADMINISTRATOR.into());
    if ask(engine, &administrator, &DeviceInfo {})?.lifecycle == Lifecycle::Manufactured {
        ask(engine, &administrator, &DeviceInitialize { label: label(page) })?;
    }
    let partition = partition(engine, &administrator, page)?;
    for known in &page.clients {
        let seen = ask(engine, &client(known.identity), &TokenList {})?.tokens;
        if !seen.iter().any(|token| token.partition == partition) {
            let name = known.name.clone();
            ask(engine, &administrator, &ClientBind { partition, identity: known.identity, name })?;
        }
    }
    Ok(())
}

fn partition<P: Platform>(
    engine: &Engine<P>,
    administrator: &Peer,
    page: &FactoryPage,
) -> Result<PartitionId, ErrorCode> {
    let present = ask(engine, administrator, &TokenList {})?.tokens;
    if let Some(token) = present.first() {
        return Ok(token.partition);
    }
    let create = PartitionCreate { label: label(page), mode: page.mode, approved_only: None };
    Ok(ask(engine, administrator, &create)?.partition)
}

/// The serial number, as far as a label has room.
fn label(page: &FactoryPage) -> String {
    page.serial.chars().filter(|c| c.is_ascii_graphic()).take(32).collect()
}

/// Gives the engine a command as a caller would.
fn ask<P: Platform, C: Command>(engine: &Engine<P>, peer: &Peer, command: &C) -> Result<C::Reply, ErrorCode> {
    let (mut head, mut call, mut reply) = (Vec::new(), Vec::new(), Vec::new());
    encode_head(command, &mut head);
    Frame { head: &head, ..Frame::status(FrameKind::Call, C::CODE as u16, 1) }.encode(&mut call);
    engine.handle(peer, &call, &mut reply);
    let reply = Frame::parse(&reply)?;
    match reply.code {
        0 => decode_head(reply.head),
        code => Err(ErrorCode::from_number(code).unwrap_or(ErrorCode::Internal)),
    }
}
