//! Traces by OTLP: which spans a collector gets. A server without the feature refuses to start where some are asked for.

use crate::support::setup::Setup;

#[cfg(not(feature = "otlp"))]
#[test]
fn a_server_that_was_built_without_traces_does_not_start_where_some_are_asked_for() {
    let config = "[telemetry]\notlp_endpoint = \"http://127.0.0.1:4318\"\nsampled_per_thousand = 1001";
    let ended = Setup::new().config(config).run();
    assert_eq!(ended.status, 64);
    // With all other faults, and where: so `--check` and a reload say the same.
    for words in [":2: telemetry.otlp_endpoint: this program was built without traces", "from 0 to 1000"] {
        assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
    }
}

#[test]
fn a_faulty_setting_of_traces_is_named_and_a_faulty_header_not_repeated() {
    let mut setup = Setup::new();
    let file = setup.folder().join("headers");
    std::fs::write(&file, "hush-hush").expect("the folder is there");
    setup = setup.config(&format!(
        "[telemetry]\notlp_endpoint = \"http://collector:4318/?token=t\"\notlp_headers_file = {file:?}\nsampled_per_thousand = 1001"
    ));
    let ended = setup.run();
    for words in [
        "telemetry.otlp_endpoint must be the URL of a collector",
        "line 1 must be a header",
        "telemetry.sampled_per_thousand must be a whole number from 0 to 1000",
    ] {
        assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("hush"), "{}", ended.stderr);
}

#[cfg(feature = "otlp")]
mod with_a_collector;
