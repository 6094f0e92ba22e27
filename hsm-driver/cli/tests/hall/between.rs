//! Between `coloa` and `coload`: an appliance that did what it was told, and was not heard.

use super::Hall;
use coloa_wire::frame::{Frame, LENGTH_FIELD, frame_length};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

const MAX_FRAME: usize = 4 * 1024 * 1024;

/// Between `coloa` and `coload`: what is to be told of each command that has been done, before its answer goes back.
pub struct Between {
    /// Its socket.
    pub path: PathBuf,
}

impl Between {
    /// `done` says whether the answer goes back.
    pub fn new(hall: &Hall, done: impl FnMut(u16) -> bool + Send + 'static) -> Between {
        let (path, real) = (hall.site.path("between.sock"), hall.site.path("coload.sock"));
        let _ = fs::remove_file(&path);
        let listener = UnixListener::bind(&path).unwrap();
        let done = Arc::new(Mutex::new(done));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (done, real) = (done.clone(), real.clone());
                std::thread::spawn(move || relay(stream, &real, |code| (done.lock().unwrap())(code)));
            }
        });
        Between { path }
    }
}

/// Frame by frame; ends when either side does, or when an answer is kept back.
fn relay(mut near: UnixStream, real: &Path, mut done: impl FnMut(u16) -> bool) {
    let mut far = UnixStream::connect(real).unwrap();
    while let Some(request) = frame(&mut near) {
        far.write_all(&request).unwrap();
        let Some(answer) = frame(&mut far) else { return };
        let code = Frame::parse(&request).unwrap().code;
        if !done(code) || near.write_all(&answer).is_err() {
            return;
        }
    }
}

fn frame(stream: &mut UnixStream) -> Option<Vec<u8>> {
    let mut bytes = vec![0; LENGTH_FIELD];
    stream.read_exact(&mut bytes).ok()?;
    let length = frame_length(&bytes, MAX_FRAME).ok()??;
    bytes.resize(length, 0);
    stream.read_exact(&mut bytes[LENGTH_FIELD..]).ok()?;
    Some(bytes)
}
