//! The appliance across a network: a relay on loopback that holds every byte back for a while.

use anyhow::{Context, Result};
use coloa_hil_tests::body::Appliance;
use coloa_hil_tests::target::{LABEL, Need, Target};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// What tables call it.
pub const NAME: &str = "appliance 0.5 ms away";
/// Half of the round trip.
const EACH_WAY: Duration = Duration::from_micros(250);

/// An appliance, reached through the relay.
pub struct Away<'a> {
    appliance: &'a Appliance,
    conf: PathBuf,
}

impl<'a> Away<'a> {
    /// Starts the relay, which ends with this process.
    pub fn of(appliance: &'a Appliance) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("no port for the relay")?;
        let (here, there) = (listener.local_addr()?, SocketAddr::from(([127, 0, 0, 1], appliance.port())));
        let near = appliance.client(LABEL);
        let text = std::fs::read_to_string(&near)?.replace(&there.to_string(), &here.to_string());
        let conf = near.with_file_name("away.toml");
        std::fs::write(&conf, text)?;
        thread::spawn(move || listener.incoming().flatten().try_for_each(|caller| relay(caller, there)));
        Ok(Away { appliance, conf })
    }
}

impl Target for Away<'_> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn module(&self) -> &Path {
        self.appliance.module()
    }

    fn environment(&self) -> Vec<(OsString, OsString)> {
        vec![("COLOA_CONF".into(), self.conf.clone().into())]
    }

    fn restart(&mut self) -> Result<()> {
        anyhow::bail!("a benchmark restarts nothing")
    }

    fn lacks(&self, need: Need) -> Option<&'static str> {
        self.appliance.lacks(need)
    }
}

fn relay(caller: TcpStream, there: SocketAddr) -> std::io::Result<()> {
    let server = TcpStream::connect(there)?;
    for socket in [&caller, &server] {
        socket.set_nodelay(true)?;
    }
    pump(caller.try_clone()?, server.try_clone()?);
    pump(server, caller);
    Ok(())
}

/// Carries bytes one way: one thread takes them, another gives them on when they are due.
fn pump(mut from: TcpStream, to: TcpStream) {
    let (send, due) = channel();
    thread::spawn(move || deliver(to, &due));
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let sent = send.send((Instant::now() + EACH_WAY, buffer[..length].to_vec()));
            if sent.is_err() {
                break;
            }
        }
    });
}

fn deliver(mut to: TcpStream, due: &Receiver<(Instant, Vec<u8>)>) {
    for (at, bytes) in due {
        thread::sleep(at.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
