//! The rules of this repository that no compiler or linter checks.
//!
//! Every fault names the file, the line and what to do. Each rule is shown to find what it is for.

mod circles;
mod manifests;
mod prose;
mod rust_text;
mod tree;
mod type_names;

use tree::{Fault, TextFile};

fn assert_none(faults: Vec<Fault>) {
    let lines: Vec<String> = faults.iter().map(Fault::to_string).collect();
    assert!(lines.is_empty(), "{} faults:\n{}", lines.len(), lines.join("\n"));
}

fn rust_files() -> Vec<TextFile> {
    let is_ours = |path: &str| path.starts_with("crates/") || path.starts_with("fuzz/");
    tree::text_files().into_iter().filter(|file| is_ours(&file.path) && file.path.ends_with(".rs")).collect()
}

/// Every fault that `rule` finds in the Rust files.
fn in_rust(rule: fn(&TextFile) -> Vec<Fault>) -> Vec<Fault> {
    let files = rust_files();
    assert!(files.len() > 10, "the Rust files were not found");
    files.iter().flat_map(rule).collect()
}

#[test]
fn every_module_opens_with_what_it_owns() {
    assert_none(in_rust(rust_text::opening));
}

#[test]
fn no_file_is_longer_than_anyone_reads() {
    assert_none(in_rust(rust_text::length));
}

#[test]
fn names_say_what_a_thing_is() {
    assert_none(in_rust(rust_text::names));
}

#[test]
fn a_public_types_name_is_said_once() {
    assert_none(type_names::faults(&rust_files()));
}

#[test]
fn queues_are_bounded_and_locks_are_the_chosen_ones() {
    assert_none(in_rust(rust_text::forbidden_types));
}

#[test]
fn tasks_have_an_owner() {
    assert_none(in_rust(rust_text::unowned_tasks));
}

#[test]
fn no_test_is_skipped() {
    assert_none(in_rust(rust_text::skipped_tests));
}

#[test]
fn crates_depend_downwards_only_and_keep_the_lints() {
    assert_none(manifests::faults());
}

#[test]
fn no_files_of_a_crate_use_each_other_in_a_circle() {
    assert_none(circles::faults(&rust_files()));
}

#[test]
fn the_fuzz_targets_keep_the_lints_and_the_profile_of_the_root() {
    assert_none(manifests::faults_of_fuzz());
}

#[test]
fn the_architecture_fits_a_few_pages() {
    assert_none(tree::text_files().iter().flat_map(prose::architecture).collect());
}

#[test]
fn every_sentence_of_a_doc_comment_names_its_subject() {
    assert_none(in_rust(prose::unnamed_subjects));
}

#[test]
fn the_project_speaks_of_itself_alone() {
    let files = tree::text_files();
    assert!(files.iter().any(|file| file.path == "Cargo.toml"), "the root was not found");
    assert_none(files.iter().flat_map(prose::foreign_words).collect());
}
