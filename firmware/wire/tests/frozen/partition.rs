//! The settings of partitions and their figures.

use super::{against, head};
use coloa_wire::command::*;
use coloa_wire::{MechanismType, PartitionId};
use std::fmt::Write;

fn settings() -> PartitionSettings {
    PartitionSettings {
        objects: Some(1),
        bytes: Some(2),
        sessions: Some(3),
        mechanisms: Some(vec![MechanismType::ECDSA]),
        pin_min: Some(8),
        pin_max: Some(32),
        pin_classes: Some(2),
        pin_tries: Some(5),
    }
}

#[test]
fn bytes() {
    let partition = PartitionId([0x11; 16]);
    let figures = PartitionFigures {
        partition,
        label: "court".into(),
        suspended: Some(1),
        settings: settings(),
        objects: 2,
        bytes: 3,
        sessions: 4,
        operations: 5,
        last_use: Some(6),
    };
    let rows = [
        ("PartitionSet", head(&PartitionSet { partition, settings: settings() })),
        ("PartitionSet.empty", head(&PartitionSet { partition, settings: PartitionSettings::default() })),
        ("PartitionSuspend", head(&PartitionSuspend { partition, suspended: true })),
        ("PartitionUsage", head(&PartitionUsage { partition: Some(partition) })),
        ("PartitionUsageReply", head(&PartitionUsageReply { partitions: vec![figures] })),
    ];
    let mut out = String::new();
    rows.iter().for_each(|(name, bytes)| writeln!(out, "{name} {bytes}").unwrap());
    against("partition.txt", &out);
}
