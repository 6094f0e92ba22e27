//! `/metrics`, `/healthz` and `/readyz` over HTTP/1.0: one request a connection, a few connections at a time, one deadline
//! for each; it can only be asked, never told.

use crate::figures;
use crate::service::Service;
use serde_json::Value;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long a client may take for its request, and how long for the answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// The longest request that is read; what follows is not looked at.
const MAX_REQUEST: usize = 1024;
/// Clients at the same time.
const MAX_CLIENTS: usize = 8;

const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const JSON: &str = "application/json";

/// Answers until the process ends.
pub(crate) fn serve(listener: &TcpListener, service: &Arc<Service>) {
    let open = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming().flatten() {
        if open.fetch_add(1, Ordering::Relaxed) >= MAX_CLIENTS {
            open.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let place = Place(open.clone());
        let service = service.clone();
        let answers = move || {
            if let Err(why) = answer(&stream, &service) {
                tracing::debug!(%why, "a metrics client went away");
            }
            drop(place);
        };
        if let Err(why) = std::thread::Builder::new().name("metrics client".into()).spawn(answers) {
            tracing::error!(%why, "no thread for a metrics client");
        }
    }
}

struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn answer(mut stream: &TcpStream, service: &Service) -> io::Result<()> {
    let request = request(stream)?;
    let (code, kind, body) = match request.split(' ').nth(1) {
        Some("/metrics") => ("200 OK", METRICS, service.metrics_text()),
        Some("/healthz") => verdict(figures::health(service)),
        Some("/readyz") => verdict(figures::readiness(service)),
        _ => ("404 Not Found", "text/plain", "there are /metrics, /healthz and /readyz\n".into()),
    };
    // A blocking send has this time for all of it.
    stream.set_write_timeout(Some(PATIENCE))?;
    let head = format!("HTTP/1.0 {code}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes())
}

fn verdict((good, document): (bool, Value)) -> (&'static str, &'static str, String) {
    (if good { "200 OK" } else { "503 Service Unavailable" }, JSON, format!("{document}\n"))
}

/// The first line, in time: a byte more wins none.
fn request(mut stream: &TcpStream) -> io::Result<String> {
    let deadline = Instant::now() + PATIENCE;
    let (mut bytes, mut some) = (Vec::new(), [0; 256]);
    while bytes.len() < MAX_REQUEST && !bytes.contains(&b'\n') {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut some)? {
            0 => break,
            read => bytes.extend_from_slice(some.get(..read).unwrap_or_default()),
        }
    }
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    Ok(String::from_utf8_lossy(line).into_owned())
}
