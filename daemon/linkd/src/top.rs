//! `top`: every link on one line, once a second, until q or Ctrl-C. What does not fit the screen is counted, troubled links
//! come first.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

use crate::cli::TopArgs;
use crate::config::{Config, MetricsAddress};
use crate::fault::{Fault, Lang};
use crate::metrics;
use crate::status::Status;

/// Between two looks.
const REFRESH: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
/// The pause where nobody can press a key.
const PAUSE: Duration = Duration::from_secs(1);
/// To the upper left, and everything below away.
const CLEAR: &str = "\x1b[H\x1b[J";
const CTRL_C: u8 = 3;
/// Lines above and below the links.
const FRAME: usize = 3;
/// Where the screen is not known.
const SIZE: (usize, usize) = (24, 80);

/// Shows the links until told to stop.
pub fn show(args: &TopArgs, lang: Lang) -> Result<ExitCode, Fault> {
    let path = &args.config.config;
    let invalid = |why: String| Fault::Config { path: path.clone(), why };
    let metrics = Config::load(path)?.metrics.ok_or_else(|| invalid("[metrics] listen is needed for top".into()))?;
    let address = MetricsAddress::parse(&metrics.listen).map_err(invalid)?;
    if args.once {
        print!("{}", frame(&metrics::ask(&address)?, (usize::MAX, usize::MAX), lang));
        return Ok(ExitCode::SUCCESS);
    }
    let _quiet = Quiet::enter();
    loop {
        let shown = match metrics::ask(&address) {
            Ok(status) => frame(&status, screen(), lang),
            Err(fault) => fault.words(lang) + "\n",
        };
        let mut out = std::io::stdout().lock();
        let drawn = write!(out, "{CLEAR}{shown}").and_then(|()| out.flush());
        if drawn.is_err() || wants_end() {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

fn screen() -> (usize, usize) {
    tcgetwinsize(std::io::stdout()).map_or(SIZE, |size| (size.ws_row.max(5).into(), size.ws_col.max(20).into()))
}

/// One screen of so many rows and columns.
fn frame(status: &Status, (rows, columns): (usize, usize), lang: Lang) -> String {
    let text = |en: &'static str, vi: &'static str| if lang == Lang::Vi { vi } else { en };
    let mut links: Vec<_> = status.links.iter().collect();
    links.sort_by_key(|link| (link.encrypting && link.connected, link.site.clone()));
    let well = status.links.iter().filter(|link| link.encrypting).count();
    let site = status.site.as_deref().unwrap_or("?");
    let serial = status.policy_serial.map_or_else(|| "-".into(), |serial| serial.to_string());
    let (encrypting, policy, quit) =
        (text("encrypting", "đã mã hóa"), text("policy", "chính sách"), text("q quits", "q để thoát"));
    let mut out = String::new();
    let head = format!("{site} · {policy} {serial} · {well}/{} {encrypting} · {quit}", links.len());
    let _ = writeln!(out, "{}", cut(&head, columns));
    let room = rows.saturating_sub(FRAME);
    for link in links.iter().take(room) {
        let _ = writeln!(out, "{}", cut(&link.line(lang), columns));
    }
    if links.len() > room {
        let _ = writeln!(out, "… {} {}", links.len().saturating_sub(room), text("more", "nữa"));
    }
    out
}

fn cut(line: &str, columns: usize) -> String {
    line.chars().take(columns).collect()
}

/// Waits a second for a key.
fn wants_end() -> bool {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        std::thread::sleep(PAUSE);
        return false;
    }
    let mut sources = [PollFd::new(&stdin, PollFlags::IN)];
    let mut key = [0; 1];
    match poll(&mut sources, Some(&REFRESH)) {
        Ok(1..) => {
            let read = rustix::io::read(&stdin, &mut key);
            read != Ok(1) || matches!(key, [b'q' | b'Q' | CTRL_C])
        }
        _ => false,
    }
}

/// A terminal that hands over keys at once and unseen, until this is dropped.
struct Quiet(Option<Termios>);

impl Quiet {
    fn enter() -> Self {
        let before = tcgetattr(std::io::stdin()).ok();
        if let Some(mut quiet) = before.clone() {
            quiet.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &quiet);
        }
        Self(before)
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(links: &[(&str, bool)]) -> Status {
        let link = |(site, encrypting): &(&str, bool)| {
            serde_json::json!({
                "site": site, "identity": "", "encrypting": encrypting, "connected": encrypting, "epoch": null,
                "trouble": null, "sent": [0, 0], "received": [0, 0], "address": null, "inner_mtu": null,
                "silent_seconds": null, "behind_nat": null,
            })
        };
        let links: Vec<_> = links.iter().map(link).collect();
        serde_json::from_value(serde_json::json!({
            "identity": "", "site": "hub", "policy_serial": 7, "shared_namespace": false, "tun_offload": "",
            "links": links, "drops": [],
        }))
        .expect("a status")
    }

    #[test]
    fn troubled_links_come_first_and_nothing_leaves_the_screen() {
        let links = [("ba-vi", true), ("hue", false), ("vinh", true), ("can-tho", true)];
        let lines: Vec<String> = frame(&status(&links), (6, 30), Lang::En).lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 5, "{lines:?}");
        assert!(lines[0].starts_with("hub · policy 7 · 3/4 encryptin"), "{lines:?}");
        assert!(lines[1].starts_with("hue ") && lines[2].starts_with("ba-vi "), "{lines:?}");
        assert_eq!(lines[4], "… 1 more");
        assert!(lines.iter().all(|line| line.chars().count() <= 30), "{lines:?}");
    }
}
