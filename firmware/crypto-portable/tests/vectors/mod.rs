//! Test vectors in files of `name = hex` lines, cases apart by an empty line, `#` for comments: where they come from is
//! written at the top of each.

#![allow(dead_code, reason = "each test uses a part")]

use std::collections::BTreeMap;

/// One case.
pub struct Case(BTreeMap<String, Vec<u8>>);

impl Case {
    /// A value that must be there.
    pub fn bytes(&self, name: &str) -> &[u8] {
        self.0.get(name).unwrap_or_else(|| panic!("the vector has no {name}"))
    }

    /// A value that may be missing.
    pub fn optional(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(Vec::as_slice)
    }
}

/// All cases of a file; an empty file is an error.
pub fn parse(text: &str) -> Vec<Case> {
    let cases: Vec<Case> = text.split("\n\n").filter_map(case).collect();
    assert!(!cases.is_empty(), "no test vectors");
    cases
}

fn case(block: &str) -> Option<Case> {
    let lines = block.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let values: BTreeMap<_, _> = lines
        .map(|line| {
            let (name, value) = line.split_once('=').expect("name = hex");
            let value = data_encoding::HEXLOWER.decode(value.trim().as_bytes()).expect("hex");
            (name.trim().to_owned(), value)
        })
        .collect();
    (!values.is_empty()).then_some(Case(values))
}
