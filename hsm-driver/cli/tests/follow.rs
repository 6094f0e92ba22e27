//! The log as it grows (R17, R18): followed over an appliance's restart, and exported in ranges and in pieces.
#![forbid(unsafe_code)]

mod site;

use serde_json::Value;
use site::Site;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

/// `coloa audit follow`, and its lines.
fn follow(site: &Site, words: &[&str]) -> (Child, impl Iterator<Item = Value> + use<>) {
    let mut coloa = site.command(&[&["--json", "audit", "follow"], words].concat());
    let mut child = coloa.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()))
}

#[test]
fn followed_over_a_restart_no_record_is_missed_or_told_twice() {
    let mut site = Site::with_partition("court");
    let (mut child, mut lines) = follow(&site, &["--from", "1", "--count", "8"]);
    let mut told: Vec<Value> = lines.by_ref().take(3).collect();
    site.kill();
    site.start();
    for label in ["tax", "customs", "land", "police", "health", "school"] {
        site.create(label);
    }
    told.extend(lines);
    assert!(child.wait().unwrap().success());
    let numbers: Vec<_> = told.iter().map(|record| record["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=8).collect::<Vec<_>>());
    assert!(told.iter().any(|r| r["action"] == "PartitionCreate" && r["result"] == "ok"), "{told:?}");
}

#[test]
fn a_range_is_exported_and_an_interrupted_export_goes_on() {
    let site = Site::with_partition("court");
    site.create("tax");
    site.does(&["audit", "export", "--out", "whole.cbor"]);
    let whole = fs::read(site.path("whole.cbor")).unwrap();
    let range = site.does(&["audit", "export", "--from", "2", "--to", "3", "--out", "range.cbor"]);
    assert_eq!((&range["first"], &range["last"], &range["signed"]), (&2.into(), &3.into(), &Value::Null));
    // The range grows to the signed end; records that the export itself does not make are the same as before.
    let grown = site.does(&["audit", "export", "--from", "2", "--resume", "--out", "range.cbor"]);
    assert_eq!(grown["signed"], grown["last"]);
    site.does(&["audit", "verify", "range.cbor"]);
    // Cut after any byte, as a power cut leaves it: it is completed, or none of ours.
    for cut in (0..whole.len()).step_by(97) {
        fs::write(site.path("cut.cbor"), &whole[..cut]).unwrap();
        let out = site.run(&["--json", "audit", "export", "--resume", "--out", "cut.cbor"]);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        let nothing_yet = said.contains("no export that was begun");
        assert!(out.status.success() || (nothing_yet && cut < 300), "{cut}: {said}");
        if out.status.success() {
            assert!(fs::read(site.path("cut.cbor")).unwrap().starts_with(&whole[..cut.min(whole.len() / 2)]));
            site.does(&["audit", "verify", "cut.cbor"]);
        }
    }
    // What was changed meanwhile is not gone on with, and what is there is not overwritten.
    let mut changed = whole.clone();
    changed[60] ^= 1;
    fs::write(site.path("changed.cbor"), &changed).unwrap();
    let said = site.fails(&["audit", "export", "--resume", "--out", "changed.cbor"]);
    assert!(said.contains("does not follow") || said.contains("no export"), "{said}");
    assert_eq!(fs::read(site.path("changed.cbor")).unwrap(), changed);
    site.fails(&["audit", "export", "--out", "whole.cbor"]);
}
