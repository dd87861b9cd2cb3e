//! Replays the corpora: inputs that a fuzzer once found interesting are checked in every test run.
//!
//! Never makes input of its own.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use fanfare_fuzz::CHECKS;

fn files_in(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.expect("an entry can be read").path()).collect()
}

fn names_in(folder: &str) -> BTreeSet<String> {
    let stems = files_in(folder).into_iter().filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()));
    stems.collect()
}

#[test]
fn every_check_has_a_target_and_a_corpus() {
    let names: BTreeSet<String> = CHECKS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names_in("fuzz_targets"), names);
    assert_eq!(names_in("corpus"), names);
    assert!(names_in("dictionaries").is_subset(&names));
}

#[test]
fn every_corpus_is_replayed() {
    for (name, check) in CHECKS {
        let files = files_in(&format!("corpus/{name}"));
        assert!(!files.is_empty(), "the corpus of {name} is empty");
        for file in files {
            let bytes = fs::read(&file).expect("a file of a corpus can be read");
            assert!(catch_unwind(|| check(&bytes)).is_ok(), "{name} fails for {}", file.display());
        }
    }
}
