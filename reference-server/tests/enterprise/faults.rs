//! The faults that no check can find: each is found by the test that is named as its judge.

use std::collections::BTreeSet;

use mcprove_reference_server::{Fault, areas, faults, faults_within};

use crate::support::business::break_with;
use crate::{access, approval, audit, changes, hygiene, masking};

macro_rules! judges {
    ($($file:ident::$test:ident),* $(,)?) => {
        &[$((concat!(stringify!($file), "::", stringify!($test)), $file::$test)),*]
    };
}

/// The tests that judge. They are tests of their own, too: so the honest server passes them.
const JUDGES: &[(&str, fn())] = judges![
    access::a_token_without_a_known_role_gets_the_least,
    access::cursors_sessions_and_answers_belong_to_one_principal_in_one_role,
    access::what_is_not_for_a_role_looks_like_what_does_not_exist,
    approval::legacy_a_client_that_cannot_ask_gets_nothing_done,
    approval::legacy_an_answer_of_somebody_else_is_none,
    approval::legacy_what_has_changed_since_the_question_is_not_done,
    approval::legacy_whatever_is_no_yes_does_nothing,
    approval::modern_an_answer_after_expiry_is_too_late,
    approval::modern_an_answer_counts_for_its_question_its_principal_and_its_request,
    approval::modern_whatever_is_no_yes_does_nothing_and_uses_the_question_up,
    audit::every_call_read_and_prompt_leaves_a_record,
    audit::what_a_client_sent_is_not_in_the_log_unless_the_server_has_the_word_too,
    audit::what_changes_a_record_is_announced_first,
    changes::what_a_role_does_not_see_change_it_is_not_told_of,
    hygiene::injections_of_every_kind_find_nothing_and_do_nothing,
    hygiene::stand_ins_are_stable_and_tell_nothing,
    hygiene::what_others_have_written_is_marked_as_untrusted_wherever_it_comes_out,
    masking::a_prompt_embeds_what_the_role_sees,
];

#[test]
fn every_judge_is_known_and_has_something_to_judge() {
    let named: BTreeSet<&str> = faults_within().filter_map(Fault::judge).collect();
    let known: BTreeSet<&str> = JUDGES.iter().map(|(name, _)| *name).collect();
    assert_eq!(named, known);
}

#[test]
fn every_fault_that_no_check_finds_is_found_by_its_judge() {
    let trials: Vec<_> = faults_within()
        .map(|fault| {
            let (_, judge) = JUDGES.iter().find(|(name, _)| Some(*name) == fault.judge()).unwrap();
            let trial = std::thread::spawn(move || {
                break_with(fault.id());
                judge();
            });
            (fault, trial)
        })
        .collect();
    let missed: Vec<String> = trials
        .into_iter()
        .filter_map(|(fault, trial)| {
            trial.join().is_ok().then(|| format!("{} by {}", fault.id(), fault.judge().unwrap()))
        })
        .collect();
    assert!(missed.is_empty(), "not found:\n{}", missed.join("\n"));
}

/// The table of the README: a rule, its faults that a check finds, and its faults that the tests find.
#[test]
fn every_rule_of_the_profile_has_its_faults_and_the_readme_names_them() {
    let readme = include_str!("../../README.md");
    let table = readme.split("| rule of the profile |").nth(1).unwrap();
    let rows: Vec<&str> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
    let auth: BTreeSet<&str> =
        areas().filter(|(area, _)| *area == "auth").flat_map(|(_, all)| all).map(Fault::id).collect();
    let mut told = BTreeSet::new();
    for row in &rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [rule, found, judged] = cells[..] else { panic!("{row}") };
        let ids =
            |cell: &str| -> Vec<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
        for id in ids(found) {
            let is_area = id == "auth.*" && !auth.is_empty();
            assert!(is_area || faults().any(|fault| fault.id() == id), "{rule}: a check finds no {id}");
            told.insert(id);
        }
        for id in ids(judged) {
            assert!(faults_within().any(|fault| fault.id() == id), "{rule}: no test judges {id}");
            told.insert(id);
        }
        assert!(!ids(found).is_empty() || !ids(judged).is_empty(), "{rule} has no fault");
    }
    assert!(rows.len() >= 12, "{}", rows.len());
    let profile = faults().filter(|fault| fault.serving().contains(&"enterprise")).chain(faults_within());
    let untold: Vec<&str> = profile.map(Fault::id).filter(|id| !told.contains(*id)).collect();
    assert!(untold.is_empty(), "the README does not name {untold:?}");
}
