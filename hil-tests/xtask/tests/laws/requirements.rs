//! The table of requirements says nothing that the tree does not bear out.

use super::sources::root;
use coloa_xtask::requirements::{Requirements, cited, sabotage};
use std::collections::BTreeSet;

/// A sabotage that finds its line no more, or names a test that cites something else, would show nothing.
#[test]
fn every_sabotage_finds_its_line_and_its_test() {
    let (table, tests) = (Requirements::read(&root()).unwrap(), cited::tests(&root()).unwrap());
    for (number, requirement) in &table.0 {
        for sabotage in &requirement.sabotage {
            let whole = std::fs::read_to_string(root().join(&sabotage.file)).expect("the file is there");
            sabotage::changed(&whole, sabotage).unwrap_or_else(|why| panic!("R{number}: {why}"));
            let is_it = |test: &&cited::Test| test.name == sabotage.fails && test.cites.contains(number);
            assert_eq!(tests.iter().filter(is_it).count(), 1, "R{number}: {}", sabotage.fails);
        }
    }
}

/// What is not said to be open has a test and a sabotage; what tests cite is in the table.
#[test]
fn holes_are_said_to_be_holes() {
    let (table, tests) = (Requirements::read(&root()).unwrap(), cited::tests(&root()).unwrap());
    let cited: BTreeSet<u32> = tests.iter().flat_map(|test| &test.cites).copied().collect();
    for (number, requirement) in &table.0 {
        let shown = cited.contains(number) && !requirement.sabotage.is_empty();
        assert!(
            shown || requirement.open.is_some(),
            "R{number} has no test or no sabotage, and is not said to be open"
        );
    }
    let known: BTreeSet<u32> = table.0.keys().copied().collect();
    assert!(cited.is_subset(&known), "not in the table: {:?}", cited.difference(&known));
}
