//! A key ceremony from its plan to its minutes, with a real `coload` and custodians who answer (R2, R3): what each side compares,
//! what is refused, and what OpenSSL says of the end.
#![forbid(unsafe_code)]

mod hall;
mod site;

use hall::{Hall, STEPS};

/// R1, R2, R3: everybody confirms the plan, a quorum has the key drawn, every share is shown; nobody's secret is in the folder.
#[test]
fn a_whole_ceremony_is_recorded_signed_and_verified() {
    let hall = Hall::new(STEPS);
    hall.completes();
    let verified = hall.verify();
    assert_eq!((&verified["signed"], &verified["quorum"]), (&serde_json::json!(["An", "Bình", "Chi"]), &2.into()));
    let status = hall.site.does(&["status"]);
    assert_eq!((&status["custodians"], &status["quorum"]), (&serde_json::json!(["An", "Bình", "Chi"]), &2.into()));
    assert_eq!(status["serial"], verified["serial"]);
    assert_eq!(hall.site.does(&["partition", "list"])[0]["label"], "court");
    let key = hall.site.does(&["backup", "key", "show"]);
    assert_eq!((&key["threshold"], &key["holders"][2]["name"]), (&2.into(), &"Chi".into()));
    assert_eq!(hall.notes("confirmed").len(), 5);
    assert_eq!(hall.notes("share-right").len(), 3);
    assert_eq!(hall.notes("approved").len(), 2);
    // It is over: once more changes nothing.
    let journal = hall.journal();
    hall.completes();
    assert_eq!(hall.journal(), journal);
}
