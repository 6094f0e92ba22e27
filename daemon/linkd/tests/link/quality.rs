//! `coloa-linkd test` and `top`: what a link is like, by its daemon.

use std::io::{Read, Write};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::authority::{Authority, LINKD};
use crate::daemon::{Daemon, both, config};
use crate::network::{Network, eventually};

fn test(authority: &Authority, words: &[&str]) -> Output {
    let config = authority.text_path("a.toml");
    Command::new(LINKD).args(["--lang", "en", "test", "--config", &config]).args(words).output().expect("coloa-linkd")
}

#[test]
fn a_link_is_measured_by_its_own_dummies() {
    let (authority, network) = (Authority::make(), Network::make());
    let [a, b] = both(&authority, &network);
    let before = Instant::now();
    let measured = test(&authority, &["b", "--json", "--rate", "8000"]);
    assert!(before.elapsed() > Duration::from_secs(3), "it takes its time");
    let json: serde_json::Value = serde_json::from_slice(&measured.stdout).expect("JSON");
    assert_eq!(
        (measured.status.code(), &json["asked"], &json["answered"]),
        (Some(0), &20.into(), &20.into()),
        "{json}"
    );
    assert_eq!((&json["address"], &json["loss"]), (&"192.0.2.2:4500".into(), &0.0.into()), "{json}");
    let arrived = json["arrived"].as_u64().expect("kbit/s");
    assert!((4000..=9000).contains(&arrived), "of 8000 kbit/s: {json}");
    let [least, middle, most] = [0, 1, 2].map(|at| json["round_trip"][at].as_u64().expect("microseconds"));
    assert!(0 < least && least <= middle && middle <= most, "{json}");
    let words = String::from_utf8_lossy(&test(&authority, &["b"]).stdout).into_owned();
    for part in ["answers      20 / 20", "throughput", "of 10.0 Mbit/s", "loss         0.00 %"] {
        assert!(words.contains(part), "`{part}` is not in:\n{words}");
    }
    // No red packet was made of it, and the peer's own counters show it as dummies.
    assert!(b.words().contains("↓ 0 packets"), "{}", b.words());
    drop(a);
}

#[test]
fn what_cannot_be_measured_is_said() {
    let (authority, network) = (Authority::make(), Network::make());
    let mut daemons = both(&authority, &network);
    let fails = |words: &[&str], part: &str| {
        let refused = test(&authority, words);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(1) && said.contains(part), "{said}");
    };
    fails(&["z"], "the policy grants no link with `z`");
    assert_eq!(test(&authority, &["b", "--rate", "1000000"]).status.code(), Some(2), "a bounded rate");
    // A peer that is gone answers nothing, while our keys live on.
    daemons[1].kill();
    let silent = test(&authority, &["b", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&silent.stdout).expect("JSON");
    assert_eq!(
        (silent.status.code(), &json["answered"], &json["loss"]),
        (Some(3), &0.into(), &serde_json::Value::Null)
    );
    daemons[0].kill();
    let _a = Daemon::start(&authority, "a", &config(&authority, &network, "a"));
    eventually("a is there", || authority.path("a.sock").exists() && test(&authority, &["z"]).status.code() == Some(1));
    eventually("without keys there is nothing", || {
        String::from_utf8_lossy(&test(&authority, &["b"]).stderr).contains("the link does not encrypt")
    });
}

#[test]
fn top_shows_every_link_and_ends_with_q() {
    let (authority, network) = (Authority::make(), Network::make());
    let _daemons = both(&authority, &network);
    let config = authority.text_path("a.toml");
    let once = Command::new(LINKD).args(["--lang", "en", "top", "--once", "--config", &config]).output().expect("top");
    let shown = String::from_utf8_lossy(&once.stdout).into_owned();
    assert!(shown.starts_with("a · policy 5 · 1/1 encrypting") && shown.contains("\nb  "), "{shown}");
    // On a terminal of its own, until a key is pressed.
    let command = format!("{LINKD} --lang en top --config {config}");
    let mut terminal = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script");
    std::thread::sleep(Duration::from_millis(2500));
    let mut keys = terminal.stdin.take().expect("stdin");
    assert!(terminal.try_wait().expect("wait").is_none(), "it goes on by itself");
    keys.write_all(b"q").expect("a key");
    keys.flush().expect("a key");
    eventually("it ends with q", || terminal.try_wait().expect("wait").is_some());
    let mut drawn = String::new();
    terminal.stdout.take().expect("stdout").read_to_string(&mut drawn).expect("read");
    assert!(drawn.matches("a · policy 5").count() >= 2, "it was drawn anew: {drawn}");
}
