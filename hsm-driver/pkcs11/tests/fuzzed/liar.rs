//! A server that its module cannot trust: it answers calls as an engine would, but for the lies of its script. It listens on
//! a local socket and, with TLS, on a port.

use super::lies::{self, Lie};
use super::script::Script;
use super::truth::{self, Answer};
use crate::server::{Pki, SERVER_NAME, read_frame};
use coloa_wire::{ErrorCode, Frame, FrameKind};
use rustls::{ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// How much longer than it should be an answer's bulk can be.
pub const MOST_TOO_MUCH: usize = 255 * 1024;

/// After so many questions of one call it hangs up, so that a module that asks for ever fails its test.
const PATIENCE: usize = 10_000;

/// What the liar says next, and how often it was asked.
#[derive(Default)]
struct Lies {
    script: Vec<u8>,
    at: usize,
    /// Answers that are honest before the script begins.
    honest: usize,
    asked: usize,
    /// Tells this whenever it is asked, instead of the script.
    always: Option<Lie>,
}

/// Where it listens.
pub struct Liar {
    pki: Pki,
    port: u16,
    lies: Arc<Mutex<Lies>>,
}

/// What goes back, and whether the connection stays.
type Said = (Vec<u8>, bool);

impl Liar {
    /// Begins to listen, for as long as the process lives.
    pub fn start() -> Self {
        let (pki, lies) = (Pki::new(), Arc::new(Mutex::new(Lies::default())));
        let (local, tcp) = (UnixListener::bind(pki.file("socket")).unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        let (port, config) = (tcp.local_addr().unwrap().port(), pki.server_config());
        let (one, two) = (lies.clone(), lies.clone());
        std::thread::spawn(move || {
            for stream in local.incoming().flatten() {
                let lies = one.clone();
                std::thread::spawn(move || talk(stream, &lies));
            }
        });
        std::thread::spawn(move || {
            for stream in tcp.incoming().flatten() {
                let (lies, config) = (two.clone(), config.clone());
                std::thread::spawn(move || {
                    let closing = stream.try_clone();
                    talk(StreamOwned::new(ServerConnection::new(config).unwrap(), stream), &lies);
                    closing.map(|s| s.shutdown(std::net::Shutdown::Both))
                });
            }
        });
        Liar { pki, port, lies }
    }

    /// The configuration that leads there.
    pub fn config(&self, over_tls: bool) -> PathBuf {
        let text = if over_tls {
            format!(
                "body = \"network\"\naddress = \"127.0.0.1:{}\"\nserver_name = \"{SERVER_NAME}\"\nca = \"ca.pem\"\n\
                 certificate = \"client.pem\"\nkey = \"client.key\"\n",
                self.port
            )
        } else {
            "body = \"local\"\nsocket = \"socket\"\n".into()
        };
        let file = self.pki.file(if over_tls { "tls.toml" } else { "local.toml" });
        if !file.exists() {
            std::fs::write(&file, format!("[[token]]\ndeadline_ms = 3000\n{text}")).unwrap();
        }
        file
    }

    /// Has it tell these, after as many honest answers as the first byte says.
    pub fn tell(&self, mut script: Script<'_>) {
        let honest = script.below(64);
        *self.lies() = Lies { honest, script: script.bytes(usize::MAX).to_vec(), ..Lies::default() };
    }

    /// Has it tell this one, again and again.
    pub fn insist(&self, lie: Lie) {
        *self.lies() = Lies { always: Some(lie), ..Lies::default() };
    }

    /// How often it was asked since the last time this was.
    pub fn asked(&self) -> usize {
        std::mem::take(&mut self.lies().asked)
    }

    fn lies(&self) -> std::sync::MutexGuard<'_, Lies> {
        self.lies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers what comes until either end has enough.
fn talk(mut stream: impl Read + Write, lies: &Mutex<Lies>) {
    while let Some(frame) = read_frame(&mut stream) {
        let (said, stays) = lies.lock().unwrap_or_else(PoisonError::into_inner).answer(&frame);
        if stream.write_all(&said).and_then(|()| stream.flush()).is_err() || !stays {
            return;
        }
    }
}

impl Lies {
    fn answer(&mut self, frame: &[u8]) -> Said {
        self.asked += 1;
        let Some(frame) = Frame::parse(frame).ok().filter(|_| self.asked < PATIENCE) else { return (vec![], false) };
        if let Some(answer) = self.always.and_then(|lie| lie(&frame)) {
            return (reply(&frame, 0, &answer), true);
        }
        if self.honest > 0 {
            self.honest -= 1;
            return (reply(&frame, 0, &truth::answer(&frame)), true);
        }
        let mut script = Script::new(self.script.get(self.at..).unwrap_or_default());
        let left = |script: &Script<'_>| script.clone().bytes(usize::MAX).len();
        let before = left(&script);
        let said = lie(&mut script, &frame);
        self.at += before - left(&script);
        said
    }
}

/// The next answer: mostly an honest one.
fn lie(script: &mut Script<'_>, frame: &Frame<'_>) -> Said {
    let (mut head, mut bulk) = truth::answer(frame);
    match script.below(24) {
        16 => {
            let code = script.pick(ErrorCode::ALL).number();
            return (status(frame, FrameKind::Reply, code), true);
        }
        17 => return (status(frame, FrameKind::Reply, script.wild() as u16 ^ u16::from(script.byte())), true),
        18 => bulk.resize(bulk.len() + script.pick(&[1, 15, 16, 1024, MOST_TOO_MUCH]), 0xbb),
        19 => bulk.truncate(bulk.len().saturating_sub(script.byte().into())),
        20 => {
            let length = script.byte().into();
            head = script.bytes(length).to_vec();
        }
        21 => {
            let at = usize::from(script.byte());
            head.get_mut(at).into_iter().for_each(|byte| *byte = script.byte());
        }
        22 => (head, bulk) = script.pick(&lies::ALL)(frame).unwrap_or((head, bulk)),
        23 => return breach(script, frame, &(head, bulk)),
        _ => {}
    }
    (reply(frame, 0, &(head, bulk)), true)
}

/// What is no reply to this call.
fn breach(script: &mut Script<'_>, frame: &Frame<'_>, honest: &Answer) -> Said {
    let whole = reply(frame, 0, honest);
    match script.below(8) {
        0 => (vec![], false),
        1 => (script.bytes(40).to_vec(), false),
        2 => (whole[..usize::from(script.byte()).min(whole.len())].to_vec(), false),
        3 => (status(frame, FrameKind::Fault, script.byte().into()), true),
        4 => (status(frame, FrameKind::Hello, 0), true),
        5 => ([&status(&later(frame), FrameKind::Reply, 0), &whole[..]].concat(), true),
        6 => ([&whole[..], &whole].concat(), true),
        // Lengths that are not so.
        _ => {
            let mut wrong = whole;
            let at = script.pick(&[0, 1, 2, 3, 12, 13, 14, 15]);
            wrong.get_mut(at).into_iter().for_each(|byte| *byte = script.byte());
            (wrong, false)
        }
    }
}

fn later<'a>(frame: &Frame<'a>) -> Frame<'a> {
    Frame { request: frame.request.wrapping_add(1), ..frame.clone() }
}

fn reply(frame: &Frame<'_>, code: u16, (head, bulk): &Answer) -> Vec<u8> {
    let kind = if frame.kind == FrameKind::Hello { FrameKind::Hello } else { FrameKind::Reply };
    let mut out = vec![];
    Frame { head, bulk, ..Frame::status(kind, code, frame.request) }.encode(&mut out);
    out
}

fn status(frame: &Frame<'_>, kind: FrameKind, code: u16) -> Vec<u8> {
    let mut out = vec![];
    Frame::status(kind, code, frame.request).encode(&mut out);
    out
}
