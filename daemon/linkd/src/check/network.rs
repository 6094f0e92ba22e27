//! What `check` says of namespaces, interfaces, addresses and sizes.

use std::net::{SocketAddr, TcpListener, UdpSocket};

use super::{Findings, words};
use crate::config::{Config, MetricsAddress};
use crate::daemon::inner_mtu;
use crate::fault::Fault;
use crate::metrics;
use crate::netns::Namespace;

/// Both sides, what is between them, and what leaves.
pub fn examine(config: &Config, findings: &mut Findings) {
    let red = findings.took("red", Namespace::open(config.red.namespace.as_deref()));
    let black = findings.took("black", Namespace::open(config.black.namespace.as_deref()));
    if let (Some(red), Some(black)) = (&red, &black) {
        sides(config, (red, black), findings);
    }
    if let Some(red) = &red {
        neighbours(config, red, findings);
    }
    if let Some(black) = &black {
        listening(config, black, findings);
    }
    sizes(config, findings);
    state(config, findings);
}

fn sides(config: &Config, (red, black): (&Namespace, &Namespace), findings: &mut Findings) {
    match red.is(black) {
        Err(fault) => findings.fault("namespaces", &fault),
        Ok(true) if !config.allow_shared_namespace => findings.fault("namespaces", &Fault::SharedNamespace),
        Ok(true) => findings.notice(
            "namespaces",
            words(
                "red and black are one namespace: cleartext is not kept off the wire. For measuring only.",
                "phía rõ và phía mã chung một không gian mạng: dữ liệu rõ không bị ngăn. Chỉ dùng để đo thử.",
            ),
        ),
        Ok(false) => findings.good(
            "namespaces",
            words(
                format!("red is `{}`, black is `{}`: only the encryptor joins them.", red.name(), black.name()),
                format!(
                    "phía rõ là `{}`, phía mã là `{}`: chỉ thiết bị mã hóa nối hai phía.",
                    red.name(),
                    black.name()
                ),
            ),
        ),
    }
    if let Err(why) = std::fs::File::options().read(true).write(true).open("/dev/net/tun") {
        findings.fault("red", &Fault::TunRight { why: why.to_string() });
    }
    let addresses: Vec<_> = config.red.addresses.iter().map(ToString::to_string).collect();
    let (name, all) = (&config.red.name, addresses.join(", "));
    findings.good(
        "red",
        words(
            format!("cleartext enters by the interface `{name}` with {all}."),
            format!("dữ liệu rõ vào qua giao diện `{name}` với {all}."),
        ),
    );
}

fn neighbours(config: &Config, red: &Namespace, findings: &mut Findings) {
    for wire in &config.red.neighbours {
        let interface = wire.interface.clone();
        let exists = red.run(|| Ok(nix::net::if_::if_nametoindex(interface.as_str()).is_ok()));
        if matches!(exists, Ok(true)) {
            findings.good(
                "neighbours",
                words(
                    format!("hosts on `{interface}` keep their addresses and gateway (transparent)."),
                    format!("các máy trên `{interface}` giữ nguyên địa chỉ và cổng mặc định (trong suốt)."),
                ),
            );
        } else {
            let why = "there is no such interface in the red namespace".into();
            findings.fault("neighbours", &Fault::Neighbours { interface, why });
        }
    }
}

/// Whether the address is ours, and whether the port is free or our own daemon's.
fn listening(config: &Config, black: &Namespace, findings: &mut Findings) {
    let listen = config.black.listen;
    let any_port = SocketAddr::new(listen.ip(), 0);
    let bound = black.run(|| {
        let own = UdpSocket::bind(any_port).map(|_| ());
        let free = UdpSocket::bind(listen).map(|_| ()).and_then(|()| TcpListener::bind(listen).map(|_| ()));
        Ok((own, free))
    });
    let (own, free) = match bound {
        Ok(bound) => bound,
        Err(fault) => return findings.fault("black", &fault),
    };
    if let Err(why) = own {
        return findings.fault("black", &Fault::Socket { listen: listen.to_string(), why: why.to_string() });
    }
    let runs = config.metrics.as_ref().and_then(|m| MetricsAddress::parse(&m.listen).ok()).map(|at| metrics::ask(&at));
    match (free, runs) {
        (Ok(()), _) => findings.good(
            "black",
            words(
                format!("encrypted traffic uses {listen}, UDP for packets and TCP for control."),
                format!("dữ liệu mã hóa dùng {listen}, UDP cho gói tin và TCP cho điều khiển."),
            ),
        ),
        (Err(_), Some(Ok(_))) => findings.good(
            "black",
            words(
                format!("{listen} is in use by the daemon that runs already."),
                format!("{listen} đang được chính tiến trình đang chạy sử dụng."),
            ),
        ),
        (Err(_), _) => {
            findings.fault("black", &Fault::PortInUse { listen: listen.to_string(), side: "the black address" });
        }
    }
}

fn sizes(config: &Config, findings: &mut Findings) {
    let (path, inner) = (config.black.path_mtu, inner_mtu(config));
    let english =
        format!("packets of up to {inner} octets fit a black path of {path}; larger ones are answered by ICMP.");
    let vietnamese = format!("gói đến {inner} byte vừa đường truyền {path} byte; gói lớn hơn được trả lời bằng ICMP.");
    findings.good("mtu", (english, vietnamese));
    if config.red.mtu.is_some_and(|mtu| mtu > inner) {
        findings.notice(
            "mtu",
            words(
                format!("red.mtu is more than fits, {inner} is used."),
                format!("red.mtu lớn hơn mức cho phép, dùng {inner}."),
            ),
        );
    }
}

/// The folder in which serials and received policies are kept.
fn state(config: &Config, findings: &mut Findings) {
    let folder = &config.state_dir;
    let existing = folder.ancestors().find(|part| part.exists());
    let writable = existing.is_some_and(|part| rustix::fs::access(part, rustix::fs::Access::WRITE_OK).is_ok());
    if writable {
        return;
    }
    findings.wrong(
        "state_dir",
        words(
            format!(
                "{} cannot be written: no policy would be accepted. Give it to the daemon's user.",
                folder.display()
            ),
            format!("không ghi được {}: sẽ không nhận chính sách nào. Cấp quyền cho tiến trình.", folder.display()),
        ),
    );
}
