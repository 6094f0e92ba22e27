//! The appliance's local socket: typed commands to the engine and to the appliance around it.

use crate::fault::Fault;
use coloa_wire::admin::AdminCommand;
use coloa_wire::command::{self, Command};
use coloa_wire::frame::{FrameKind, LENGTH_FIELD, MAX_FRAME_HOST, frame_length};
use coloa_wire::hello::{ClientHello, PROTOCOL};
use coloa_wire::{ErrorCode, Frame, SessionId};
use minicbor::{Decode, Encode};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use zeroize::Zeroizing;

/// PIN stretching and a busy disk take their time.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection whose hellos are exchanged.
pub struct AdminSocket {
    stream: UnixStream,
    request: u32,
    reply: Zeroizing<Vec<u8>>,
}

impl AdminSocket {
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let fault = |e: std::io::Error| Fault::Socket { path: path.to_path_buf(), why: e.to_string() };
        let stream = UnixStream::connect(path).map_err(fault)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(fault)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(fault)?;
        let mut socket = AdminSocket { stream, request: 0, reply: Zeroizing::default() };
        socket.greet()?;
        Ok(socket)
    }

    fn greet(&mut self) -> Result<(), Fault> {
        let hello = ClientHello {
            protocol: PROTOCOL,
            features: 0,
            max_frame: u32::try_from(MAX_FRAME_HOST).unwrap_or(u32::MAX),
            software: concat!("coloa ", env!("CARGO_PKG_VERSION")).into(),
        };
        let mut head = Vec::new();
        command::encode_head(&hello, &mut head);
        self.exchange(&Frame { head: &head, ..Frame::status(FrameKind::Hello, 0, 0) }).map(|_| ())
    }

    /// Gives the engine a command.
    pub fn call<C: Command>(&mut self, session: Option<SessionId>, request: &C) -> Result<C::Reply, Fault> {
        self.send(C::CODE as u16, session, request, &[])
    }

    /// Gives the engine a command with bulk.
    pub fn call_with<C: Command>(&mut self, request: &C, bulk: &[u8]) -> Result<C::Reply, Fault> {
        self.send(C::CODE as u16, None, request, bulk)
    }

    /// Asks the appliance.
    pub fn ask<C: AdminCommand>(&mut self, request: &C) -> Result<C::Reply, Fault> {
        self.send(C::CODE, None, request, &[])
    }

    /// The bulk of the last reply.
    pub fn bulk(&self) -> &[u8] {
        Frame::parse(&self.reply).map(|f| f.bulk).unwrap_or_default()
    }

    fn send<Q: Encode<()>, R>(
        &mut self,
        code: u16,
        session: Option<SessionId>,
        request: &Q,
        bulk: &[u8],
    ) -> Result<R, Fault>
    where
        R: for<'b> Decode<'b, ()>,
    {
        let mut head = Zeroizing::new(Vec::with_capacity(4096));
        command::encode_head(request, &mut head);
        self.request = self.request.saturating_add(1);
        let frame = Frame::status(FrameKind::Call, code, self.request);
        let answer = self.exchange(&Frame { head: &head, bulk, session, ..frame })?;
        Ok(command::decode_head(answer.head)?)
    }

    fn exchange(&mut self, frame: &Frame<'_>) -> Result<Frame<'_>, Fault> {
        let lost = |e: std::io::Error| Fault::Lost(e.to_string());
        let mut bytes = Zeroizing::new(Vec::with_capacity(8192));
        frame.encode(&mut bytes);
        self.stream.write_all(&bytes).map_err(lost)?;
        self.reply.clear();
        self.reply.resize(LENGTH_FIELD, 0);
        self.stream.read_exact(&mut self.reply).map_err(lost)?;
        let length = frame_length(&self.reply, MAX_FRAME_HOST)?.unwrap_or(LENGTH_FIELD);
        self.reply.resize(length, 0);
        let body = self.reply.get_mut(LENGTH_FIELD..).unwrap_or_default();
        self.stream.read_exact(body).map_err(lost)?;
        let answer = Frame::parse(&self.reply)?;
        match (answer.kind, answer.code) {
            (FrameKind::Hello, _) | (FrameKind::Reply, 0) => Ok(answer),
            (_, number) => Err(ErrorCode::from_number(number).map_or(Fault::Newer(number), Fault::Engine)),
        }
    }
}
