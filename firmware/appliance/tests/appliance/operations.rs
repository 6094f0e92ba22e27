//! What operators and their tools see, and what they can change while it runs.

use crate::rig::{Appliance, call, key_pair, until, user};
use coloa_wire::admin::ServiceStatus;
use coloa_wire::command::*;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

#[test]
fn health_and_readiness_are_told_apart() {
    let appliance = Appliance::manufactured();
    let (code, health) = appliance.http("/healthz");
    assert!(code.contains(" 200 ") && health["healthy"] == true && health["lifecycle"] == "manufactured", "{health}");
    let (code, ready) = appliance.http("/readyz");
    assert!(code.contains(" 503 ") && ready["ready"] == false && ready["port_open"] == false, "{ready}");
    appliance.admin().call(None, &DeviceInitialize { label: "rack-1".into() }).unwrap();
    let (code, ready) = appliance.http("/readyz");
    assert!(code.contains(" 200 ") && ready["ready"] == true, "{ready}");
}

#[test]
fn a_slow_client_of_the_metrics_keeps_nobody_from_them() {
    use std::io::Write;
    let appliance = Appliance::operational();
    let address = appliance.metrics_address();
    let slow: Vec<_> = (0..4).map(|_| std::net::TcpStream::connect(&address).unwrap()).collect();
    slow.iter().for_each(|mut s| s.write_all(b"GET /met").unwrap());
    let began = std::time::Instant::now();
    assert!(appliance.metrics().contains("coloa_operational 1"));
    assert!(began.elapsed() < Duration::from_secs(2), "it waited for them");
}

/// The figures of `coloa status` are those of what was done.
#[test]
fn the_status_counts_keys_calls_and_errors() {
    let appliance = Appliance::operational();
    let court = appliance.partition("court");
    let client = appliance.enrol(court, "court-srv-1").client(&appliance.address());
    let session = user(&client, court);
    (0..3).for_each(|_| assert!(key_pair(&client, session).is_ok()));
    let wrong = Login { role: Role::User, pin: b"000000"[..].into() };
    let other = call(&client, None, &SessionOpen { partition: court }).unwrap().session;
    assert!(call(&client, Some(other), &wrong).is_err());
    let status = appliance.admin().ask(&ServiceStatus {}).unwrap();
    let [figures] = &status.partitions[..] else { panic!("{:?}", status.partitions) };
    assert_eq!((figures.label.as_str(), figures.objects), ("court", 6));
    assert_eq!((status.sandbox.as_str(), status.errors, status.sessions), ("whole", 1, 2));
    assert!(status.calls > 10 && status.store_bytes > 4096 && status.free_bytes > 0, "{status:?}");
    assert!(until(|| appliance.admin().ask(&ServiceStatus {}).unwrap().uptime > 0));
}

#[test]
fn a_reload_takes_limits_and_level_over_and_names_what_it_cannot() {
    let appliance = Appliance::operational();
    let court = appliance.partition("court");
    let client = appliance.enrol(court, "court-srv-1").client(&appliance.address());
    call(&client, None, &TokenList {}).unwrap();
    appliance.configure_with("127.0.0.1:1", "connections = 77\n[log]\nlevel = \"debug\"\n");
    appliance.signal("HUP");
    assert!(until(|| appliance.log().contains("configuration read again")), "{}", appliance.log());
    assert_eq!(appliance.admin().ask(&ServiceStatus {}).unwrap().channel_limit, 77);
    let log = appliance.log();
    assert!(log.contains("only after a restart key=\"listen\"") && !log.contains("key=\"directory\""), "{log}");
    // The channel has lived through it, and what is refused is logged now.
    let create = PartitionCreate { label: "own".into(), mode: PartitionMode::Strict, approved_only: None };
    assert!(call(&client, None, &create).is_err());
    assert!(until(|| appliance.log().contains("DEBUG")), "{}", appliance.log());
    // A wrong file changes nothing.
    fs::write(appliance.path("coload.toml"), "nonsense").unwrap();
    appliance.signal("HUP");
    assert!(until(|| appliance.log().contains("was not taken over")), "{}", appliance.log());
    assert_eq!(appliance.admin().ask(&ServiceStatus {}).unwrap().channel_limit, 77);
    assert!(call(&client, None, &TokenList {}).is_ok());
}

/// What a service manager hears of it: ready, then signs of life, then the end.
#[test]
fn the_service_manager_hears_signs_of_life() {
    let mut appliance = Appliance::operational();
    appliance.stop();
    let path = appliance.path("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut command = appliance.command();
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "5000000");
    appliance.start_with(command);
    let hear = || {
        let mut state = [0; 64];
        let length = manager.recv(&mut state).unwrap();
        String::from_utf8_lossy(&state[..length]).into_owned()
    };
    assert_eq!([hear(), hear(), hear()], ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]);
    appliance.stop();
    assert!((0..10).any(|_| hear() == "STOPPING=1"));
}
