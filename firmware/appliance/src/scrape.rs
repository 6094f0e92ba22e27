//! `/metrics` over HTTP/1.0: one request a connection, one connection at a time; it can only be asked, never told.

use crate::service::Service;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// How long a client may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// The longest request line.
const MAX_REQUEST: u64 = 1024;

/// Answers until the process ends.
pub(crate) fn serve(listener: &TcpListener, service: &Arc<Service>) {
    for stream in listener.incoming() {
        if let Err(why) = stream.and_then(|s| answer(&s, service)) {
            tracing::debug!(%why, "a metrics client went away");
        }
    }
}

fn answer(mut stream: &TcpStream, service: &Service) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut request = String::new();
    BufReader::new(stream.take(MAX_REQUEST)).read_line(&mut request)?;
    let (code, body) = match request.split(' ').nth(1) {
        Some("/metrics") => ("200 OK", service.metrics_text()),
        _ => ("404 Not Found", "there is /metrics\n".into()),
    };
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    write!(stream, "HTTP/1.0 {code}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}
