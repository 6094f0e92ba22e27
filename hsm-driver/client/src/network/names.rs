//! From a name to its addresses, within a deadline and without a thread.
//!
//! The C library's `getaddrinfo` waits as long as its own settings say, and a thread that waited for it in a caller's stead
//! could outlive the library it runs in. So what it reads is read here: `/etc/hosts`, then the name servers and the search
//! list of `/etc/resolv.conf` (resolv.conf(5)). Other sources of `nsswitch.conf` (mDNS, LDAP) are not asked.
//!
//! Nothing rests on the answers being true: the server's certificate says who it is.

use super::dns;
use super::socket::remaining;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant};

const HOSTS: &str = "/etc/hosts";
const RESOLV_CONF: &str = "/etc/resolv.conf";
const PORT: u16 = 53;
/// `MAXNS` of resolv.conf(5), and the most that it takes for `ndots`, `timeout` in seconds, and `attempts`.
const MAX_SERVERS: usize = 3;
const MAX_DOTS: u32 = 15;
const MAX_TIMEOUT: u32 = 30;
const MAX_ATTEMPTS: u32 = 5;

/// The addresses of `host:port`, those that the system has a way to first, IPv6 before IPv4.
///
/// # Errors
/// Not of that shape, or there is no such name, or no name server answered before the deadline: each is told apart.
pub(super) fn resolve(address: &str, deadline: Instant) -> io::Result<Vec<SocketAddr>> {
    let wrong = || io::Error::new(io::ErrorKind::InvalidInput, "the address is not of the form host:port");
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    let port: u16 = port.parse().map_err(|_| wrong())?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if bare.split('%').next().is_some_and(|literal| literal.parse::<IpAddr>().is_ok()) {
        // No name service is asked for those; a zone after `%` may be an interface's name.
        return Ok((bare, port).to_socket_addrs()?.collect());
    }
    let mut found = in_hosts(&std::fs::read_to_string(HOSTS).unwrap_or_default(), host);
    if found.is_empty() {
        let settings = Settings::parse(&std::fs::read_to_string(RESOLV_CONF).unwrap_or_default());
        found = settings.look_up(host, deadline)?;
    }
    let mut addresses: Vec<_> = found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
    addresses.sort_by_cached_key(|address| (!has_way(*address), address.is_ipv4(), *address));
    addresses.dedup();
    Ok(addresses)
}

/// What the lines of a hosts file say of a name; `localhost` needs none (RFC 6761 §6.3).
fn in_hosts(text: &str, host: &str) -> Vec<IpAddr> {
    let host = host.trim_end_matches('.');
    let of_line = |line: &str| {
        let mut words = line.split('#').next()?.split_ascii_whitespace();
        let address = words.next()?.parse().ok()?;
        words.any(|name| name.eq_ignore_ascii_case(host)).then_some(address)
    };
    let found: Vec<IpAddr> = text.lines().filter_map(of_line).collect();
    match found.is_empty() && host.eq_ignore_ascii_case("localhost") {
        true => vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()],
        false => found,
    }
}

/// Whether there is a route; nothing is sent.
fn has_way(address: SocketAddr) -> bool {
    UdpSocket::bind(dns::any_port(address)).and_then(|socket| socket.connect(address)).is_ok()
}

/// What `/etc/resolv.conf` says.
#[derive(PartialEq, Eq, Debug)]
struct Settings {
    servers: Vec<SocketAddr>,
    search: Vec<String>,
    dots: u32,
    patience: Duration,
    attempts: u32,
}

impl Settings {
    /// Whatever it does not know it passes over, as the C library does.
    fn parse(text: &str) -> Self {
        let mut it = Settings {
            servers: Vec::new(),
            search: Vec::new(),
            dots: 1,
            patience: Duration::from_secs(5),
            attempts: 2,
        };
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("nameserver") => it.servers.extend(words.next().and_then(server)),
                Some("search" | "domain") => it.search = words.map(str::to_owned).collect(),
                Some("options") => words.for_each(|option| it.option(option)),
                _ => {}
            }
        }
        it.servers.truncate(MAX_SERVERS);
        if it.servers.is_empty() {
            it.servers.push((Ipv4Addr::LOCALHOST, PORT).into());
        }
        it
    }

    fn option(&mut self, option: &str) {
        let Some((name, value)) = option.split_once(':') else { return };
        let Ok(value) = value.parse::<u32>() else { return };
        match name {
            "ndots" => self.dots = value.min(MAX_DOTS),
            "timeout" => self.patience = Duration::from_secs(value.clamp(1, MAX_TIMEOUT).into()),
            "attempts" => self.attempts = value.clamp(1, MAX_ATTEMPTS),
            _ => {}
        }
    }

    /// The full names that a name may stand for, in the order in which they are tried.
    fn candidates(&self, host: &str) -> Vec<String> {
        if let Some(full) = host.strip_suffix('.') {
            return vec![full.to_owned()];
        }
        let mut names: Vec<_> =
            self.search.iter().map(|domain| format!("{host}.{}", domain.trim_matches('.'))).collect();
        let is_full = u32::try_from(host.matches('.').count()).unwrap_or(u32::MAX) >= self.dots;
        names.insert(if is_full { 0 } else { names.len() }, host.to_owned());
        names
    }

    fn look_up(&self, host: &str, deadline: Instant) -> io::Result<Vec<IpAddr>> {
        for name in self.candidates(host) {
            let found = self.ask(&name, deadline)?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Err(io::Error::new(io::ErrorKind::NotFound, "there is no such name in /etc/hosts or at the name server"))
    }

    /// Asks one server after the other until one answers. Who says nothing leaves the others their share of the time.
    fn ask(&self, name: &str, deadline: Instant) -> io::Result<Vec<IpAddr>> {
        let turns = self.servers.iter().cycle().take(self.servers.len().saturating_mul(self.attempts as usize));
        let mut last = io::ErrorKind::TimedOut.into();
        for (left, server) in (1..=turns.clone().count() as u32).rev().zip(turns) {
            let Ok(rest) = remaining(deadline) else { break };
            match dns::ask(*server, name, Instant::now() + self.patience.min(rest / left)) {
                Err(e) if e.kind() == io::ErrorKind::InvalidInput => return Err(e),
                Err(e) => {
                    last = io::Error::new(e.kind(), format!("name server {} (/etc/resolv.conf): {e}", server.ip()))
                }
                found => return found,
            }
        }
        Err(last)
    }
}

/// A server's address; one on a link has its interface after a `%`.
fn server(word: &str) -> Option<SocketAddr> {
    let literal = word.split('%').next()?.parse::<IpAddr>().is_ok();
    literal.then(|| (word, PORT).to_socket_addrs().ok()?.next()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_what_the_manual_says() {
        let it = Settings::parse(
            "# x\nnameserver 192.0.2.1\nnameserver ::1\nsearch a b.\noptions ndots:99 timeout:0 rotate\n",
        );
        assert_eq!(it.servers, ["192.0.2.1:53".parse().unwrap(), "[::1]:53".parse().unwrap()]);
        assert_eq!((it.dots, it.patience, it.attempts), (MAX_DOTS, Duration::from_secs(1), 2));
        assert_eq!(it.candidates("x"), ["x.a", "x.b", "x"]);
        assert_eq!(it.candidates("x."), ["x"]);
        assert_eq!(Settings { dots: 1, ..it }.candidates("x.y"), ["x.y", "x.y.a", "x.y.b"]);
        assert_eq!(Settings::parse("nameserver example\n").servers, ["127.0.0.1:53".parse().unwrap()]);
    }

    #[test]
    fn addresses_need_no_name_service() {
        let soon = Instant::now();
        for (text, socket) in [("192.0.2.1:1", "192.0.2.1:1"), ("[::1]:2", "[::1]:2")] {
            assert_eq!(resolve(text, soon).unwrap(), [socket.parse().unwrap()]);
        }
        for wrong in ["", "x", "x:", "x:65536", ":", "[::1]"] {
            assert!(resolve(wrong, soon).is_err(), "{wrong}");
        }
    }
}
