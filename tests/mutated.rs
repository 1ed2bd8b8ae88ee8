//! Damaged state directories, a few of each kind; the fault harness in `torture/` damages thousands.

#[path = "../torture/mutate.rs"]
mod mutate;

use std::path::Path;
use std::time::Duration;

/// Damaged stores: enough that every kind of damage is among them.
const STORES: usize = 60;

#[test]
fn every_verb_answers_about_a_damaged_store_and_no_other_job_is_hidden() {
    let summary = mutate::run(Path::new(env!("CARGO_BIN_EXE_crosscheck")), STORES, 1);
    println!("{summary}");
    assert_eq!((summary.found, summary.stores), (0, STORES), "{summary}");
    assert!(
        summary.unread > STORES / 3 && summary.quarantined > 10,
        "{summary}"
    );
    // The figure is the one that is printed; a loaded machine must not fail for its load.
    assert!(summary.longest() < Duration::from_secs(5), "{summary}");
}
