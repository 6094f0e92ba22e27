//! A client's channel: TLS gives plaintext, plaintext is frames, frames go to the engine, replies go back.
//!
//! The caller moves bytes and turns the crank, as with [`Server`]. One turn answers one frame at most. Memory is bounded by the
//! board's longest frame and one TLS record.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use coloa_engine::{Conversation, Engine, Peer, Platform};
use coloa_tls_portable::{Fault, Server, Turn};
use coloa_wire::frame::FrameKind;
use coloa_wire::{ErrorCode, Frame, Identity};
use rustls::ServerConfig;
use sha2::{Digest, Sha256};
use zeroize::Zeroize;

/// One client's channel, from its first byte to its goodbye.
pub struct Channel {
    tls: Server,
    peer: Option<Peer>,
    conversation: Conversation,
    /// Plaintext that is not yet a whole frame.
    heard: Vec<u8>,
    /// The stream can no longer be trusted: say goodbye, read nothing more.
    closing: bool,
}

impl Channel {
    /// A channel that awaits its ClientHello.
    ///
    /// # Errors
    /// What rustls says of a configuration it cannot serve.
    pub fn new(config: Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        let tls = Server::new(config)?;
        Ok(Self { tls, peer: None, conversation: Conversation::default(), heard: Vec::new(), closing: false })
    }

    /// Takes bytes from the network and returns how many; the rest has to wait.
    pub fn receive(&mut self, bytes: &[u8]) -> usize {
        self.tls.receive(bytes)
    }

    /// Bytes for the network. Tell [`Self::sent`] how many of them went.
    pub fn output(&self) -> &[u8] {
        self.tls.output()
    }

    /// Forgets the first `count` bytes of the output.
    pub fn sent(&mut self, count: usize) {
        self.tls.sent(count);
    }

    /// One step: of the handshake, of a record, or one frame's answer. [`Turn::Finished`]: send the output, then close.
    pub fn turn<P: Platform>(&mut self, engine: &Engine<P>) -> Turn {
        match self.tls.turn() {
            // An answer is begun only when the last one has left.
            Turn::Idle if !self.closing && self.tls.is_established() && self.tls.output().is_empty() => {
                self.listen(engine)
            }
            turn => turn,
        }
    }

    /// Who the client is, once its certificate is verified and it has spoken.
    pub fn peer(&self) -> Option<&Peer> {
        self.peer.as_ref()
    }

    /// True from the moment the client's certificate was verified.
    pub fn is_established(&self) -> bool {
        self.tls.is_established()
    }

    /// Why TLS ended, if it ended badly.
    pub fn fault(&self) -> Option<&Fault> {
        self.tls.fault()
    }

    fn listen<P: Platform>(&mut self, engine: &Engine<P>) -> Turn {
        match self.conversation.frame_length(&self.heard, engine.platform().limits().max_frame) {
            Err(error) => self.refuse(error),
            Ok(Some(length)) if length <= self.heard.len() => self.answer(engine, length),
            Ok(_) if self.tls.plaintext().is_empty() => Turn::Idle,
            Ok(_) => {
                self.heard.extend_from_slice(self.tls.plaintext());
                self.tls.taken(usize::MAX);
                Turn::Again
            }
        }
    }

    fn answer<P: Platform>(&mut self, engine: &Engine<P>, length: usize) -> Turn {
        let Some(peer) = self.identify() else { return self.refuse(ErrorCode::ChannelForbidden) };
        let frame = self.heard.get(..length).unwrap_or_default();
        if let Err(error) = self.conversation.admit(frame) {
            return self.refuse(error);
        }
        let mut reply = Vec::new();
        engine.handle(&peer, frame, &mut reply);
        self.tls.send(&reply);
        if Frame::parse(&reply).is_ok_and(|reply| reply.kind == FrameKind::Fault) {
            self.close();
        }
        reply.zeroize();
        self.peer = Some(peer);
        self.heard.drain(..length.min(self.heard.len()));
        if self.heard.is_empty() {
            // PINs pass through here.
            self.heard.zeroize();
        }
        Turn::Again
    }

    fn identify(&self) -> Option<Peer> {
        if let Some(peer) = &self.peer {
            return Some(peer.clone());
        }
        let identity = Identity(Sha256::digest(self.tls.client_certificate()?).into());
        Some(client(identity))
    }

    fn refuse(&mut self, error: ErrorCode) -> Turn {
        let mut fault = Vec::new();
        Frame::status(FrameKind::Fault, error.number(), 0).encode(&mut fault);
        self.tls.send(&fault);
        self.close();
        Turn::Again
    }

    fn close(&mut self) {
        self.closing = true;
        self.tls.close();
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.heard.zeroize();
    }
}

/// A client as the engine knows it. In the log it goes by the start of its identity; its name is in the list of clients.
pub fn client(identity: Identity) -> Peer {
    let [a, b, c, d, ..] = identity.0;
    Peer::Client { identity, name: format!("client {a:02x}{b:02x}{c:02x}{d:02x}") }
}
