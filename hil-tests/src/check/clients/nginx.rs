//! nginx, whose workers are forked from a master that has the module open.

use super::openssl::{configuration, openssl};
use super::{Pair, START, listens, plain, run};
use crate::body::free_port;
use crate::target::LABEL;
use crate::token::Token;
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Handshakes with each key; each is new, none resumes.
const REQUESTS: usize = 40;
/// How long `wrk` asks: the reload is in it.
const LOAD: &str = "4s";
/// Debian puts it where a user's PATH does not look.
const NGINX: &str = "/usr/sbin/nginx";
/// Processes that serve.
const WORKERS: usize = 4;

/// Four workers serve with a key in the token, also while a reload replaces them.
pub fn serves(token: &Token) -> Result<()> {
    for (kind, label, id) in [("rsa:2048", "nginx-rsa", "e1"), ("EC:prime256v1", "nginx-ec", "e2")] {
        let pair = Pair::make(token, kind, label, id)?;
        let key = format!("pkcs11:token={LABEL};object={label};type=private");
        let made = ["req", "-new", "-x509", "-days", "30", "-subj", "/CN=localhost", "-out", "nginx.pem", "-key", &key];
        run(openssl(token)?.args(made).args(["-engine", "pkcs11", "-keyform", "engine"]))?;
        let server = Server::start(token, &key)?;
        server.load(token).with_context(|| format!("nginx with {kind}; its log:\n{}", server.log(token)))?;
        server.end()?;
        pair.remove(token)?;
    }
    Ok(())
}

/// What `wrk` tells of a load that nothing happened to.
fn unharmed(wrk: Child) -> Result<()> {
    let out = wrk.wait_with_output()?;
    let told = String::from_utf8_lossy(&out.stdout);
    ensure!(out.status.success() && !told.contains("Socket errors") && !told.contains("Non-2xx"), "{told}");
    let served = told.lines().find_map(|line| line.trim().split_once(" requests in ")?.0.parse::<usize>().ok());
    ensure!(served.is_some_and(|served| served > REQUESTS), "{told}");
    Ok(())
}

/// The master. nginx ends by SIGQUIT, which also ends its workers; a kill would orphan them.
struct Server {
    master: Child,
    port: String,
}

impl Server {
    fn start(token: &Token, key: &str) -> Result<Self> {
        let port = free_port()?.to_string();
        std::fs::write(token.scratch.join("nginx.conf"), text(&port, key))?;
        let mut nginx = plain(token, NGINX);
        nginx.arg("-p").arg(&token.scratch).args(["-c", "nginx.conf", "-e", "nginx.log"]);
        nginx.env("OPENSSL_CONF", early(token)?).stdin(Stdio::null()).stdout(Stdio::null());
        let master = nginx.spawn().context("nginx does not start; `cargo xtask setup` installs it")?;
        let server = Self { master, port };
        listens(&server.port).with_context(|| server.log(token))?;
        Ok(server)
    }

    /// Requests from before a reload to after it: none fails, and afterwards only new workers answer.
    fn load(&self, token: &Token) -> Result<()> {
        let before = self.ask(token, REQUESTS)?;
        let wrk = self.wrk(token)?;
        self.reload(token, &before)?;
        unharmed(wrk)?;
        let after = self.ask(token, REQUESTS)?;
        ensure!(after.is_disjoint(&before), "old workers answer: {before:?}, {after:?}");
        ensure!(before.len() > 1 && after.len() > 1, "one worker does it all: {before:?}, {after:?}");
        Ok(())
    }

    /// SIGHUP, and until a new worker answers.
    fn reload(&self, token: &Token, before: &BTreeSet<String>) -> Result<()> {
        self.signal("-HUP")?;
        let since = Instant::now();
        while !self.ask(token, 4)?.is_disjoint(before) {
            ensure!(since.elapsed() < START, "the old workers go on");
        }
        Ok(())
    }

    /// Eight connections at a time, each request with a handshake of its own, for a while.
    fn wrk(&self, token: &Token) -> Result<Child> {
        let mut wrk = plain(token, "wrk");
        wrk.args(["-t", "2", "-c", "8", "-d", LOAD, "--timeout", "20s", &format!("https://localhost:{}/", self.port)]);
        wrk.stdout(Stdio::piped()).spawn().context("wrk does not start; `cargo xtask setup` installs it")
    }

    /// So many requests, each with a handshake of its own; the workers that answered.
    fn ask(&self, token: &Token, count: usize) -> Result<BTreeSet<String>> {
        let address = format!("https://localhost:{}/", self.port);
        let told = (0..count).map(|_| {
            let mut curl = plain(token, "curl");
            curl.args(["-sS", "-m", "20", "--cacert", "nginx.pem", "--noproxy", "*", "-4", &address]);
            run(&mut curl)
        });
        let told = told.collect::<Result<BTreeSet<String>>>()?;
        ensure!(told.iter().all(|answer| answer.starts_with("worker ")), "{told:?}");
        Ok(told)
    }

    fn signal(&self, signal: &str) -> Result<()> {
        run(Command::new("kill").args([signal, &self.master.id().to_string()])).map(drop)
    }

    fn log(&self, token: &Token) -> String {
        std::fs::read_to_string(token.scratch.join("nginx.log")).unwrap_or_default()
    }

    /// Graceful: workers that crash on their way out make the master's log, not its status.
    fn end(mut self) -> Result<()> {
        self.signal("-QUIT")?;
        let since = Instant::now();
        while since.elapsed() < START {
            match self.master.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("nginx ended with {status}"),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        }
        bail!("nginx does not end");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.master.try_wait(), Ok(None)) {
            self.signal("-TERM").ok();
            self.master.wait().ok();
        }
    }
}

/// nginx wants the engine to be set up as soon as it is loaded: it asks for a key without doing that.
fn early(token: &Token) -> Result<std::path::PathBuf> {
    let text = std::fs::read_to_string(configuration(token)?)?;
    let file = token.scratch.join("nginx-openssl.cnf");
    std::fs::write(&file, text.replace("init = 0", "init = 1"))?;
    Ok(file)
}

/// nginx's configuration: everything in the check's folder, no session resumed, one handshake a request.
///
/// Workers of a master that root started stay root, or they would not reach the folder; anybody else's ignore `user`.
fn text(port: &str, key: &str) -> String {
    let folders: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path nginx-{name};\n"))
        .concat();
    format!(
        "daemon off;\nworker_processes {WORKERS};\npid nginx.pid;\nerror_log nginx.log notice;\n\
         env COLOA_CONF;\nenv OPENSSL_CONF;\nuser root;\nevents {{ worker_connections 64; }}\nhttp {{\n{folders}\
         access_log off;\nkeepalive_timeout 0;\nssl_session_cache off;\nssl_session_tickets off;\nserver {{\n\
         listen 127.0.0.1:{port} ssl;\nssl_certificate nginx.pem;\n\
         ssl_certificate_key \"engine:pkcs11:{key}\";\nlocation / {{ return 200 \"worker $pid\"; }}\n}}\n}}\n"
    )
}
