//! Whether a filter of the log means something: a misspelt level would be taken for the name of a part of the program,
//! and silence everything else.
//!
//! Knows the parts of Fanfare; those of libraries are taken as they are.

use fanfare_apps::nearest;
use tracing_subscriber::EnvFilter;

/// The parts that log, as their lines name them; a test looks for others.
const PARTS: [&str; 13] = [
    "fanfare",
    "fanfare::admin",
    "fanfare::apps",
    "fanfare::authorization",
    "fanfare::bus",
    "fanfare::connection",
    "fanfare::http",
    "fanfare::log",
    "fanfare::redis_feed",
    "fanfare::telemetry",
    "fanfare::tls",
    "fanfare::watchdog",
    "fanfare::webhooks",
];

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Whether every part of the filter is a level, or names something that may log.
pub(super) fn is_sensible(text: &str) -> bool {
    EnvFilter::try_new(text).is_ok() && text.split(',').map(str::trim).all(is_directive)
}

fn is_directive(text: &str) -> bool {
    // Fields and spans, which are for those who read tracing's manual.
    if text.is_empty() || text.contains(['[', ']', '{', '}', '"']) {
        return true;
    }
    match text.split_once('=') {
        // A level in the place of a part, or a comma left out: the level of everything else would be silence.
        Some((target, _)) if is_level(target.trim()) || target.trim().contains(char::is_whitespace) => false,
        Some((target, _)) => may_log(target.trim()),
        None => is_level(text) || (text.starts_with("fanfare") && may_log(text)),
    }
}

fn is_level(text: &str) -> bool {
    LEVELS.iter().any(|level| level.eq_ignore_ascii_case(text)) || matches!(text.as_bytes(), [b'0'..=b'5'])
}

/// Names of libraries are not known here, but none is nearly Fanfare's. A beginning of a name stands for all such.
fn may_log(target: &str) -> bool {
    let root = target.split("::").next().unwrap_or(target);
    if root == "fanfare" {
        return PARTS.contains(&target);
    }
    // The crates are called so; what they log, they log by the names of the parts.
    !root.starts_with("fanfare") && nearest(root, std::iter::once("fanfare")).is_none()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn a_misspelt_level_or_part_is_no_filter() {
        for text in [
            "inof",
            "info=debug",
            "error fanfare=debug",
            "fanfare=debgu",
            "info,inof",
            "fnafare=debug",
            "fanfare::webhoks=debug",
            "hyper",
            "6",
        ] {
            assert!(!is_sensible(text), "{text}");
        }
    }

    #[test]
    fn levels_parts_of_fanfare_and_libraries_are_filters() {
        for text in [
            "",
            "info",
            "OFF",
            "3",
            "warn,fanfare=debug",
            "info,fanfare::webhooks=trace",
            "fanfare",
            "sqlx=warn",
            "info,hyper::proto=debug",
            "fanfare[{app}]=debug",
        ] {
            assert!(is_sensible(text), "{text}");
        }
    }

    /// Every target in the sources of a folder.
    fn targets(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                targets(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let named = text.split("target: \"").skip(1).filter_map(|rest| rest.split('"').next());
                found.extend(named.filter(|name| name.starts_with("fanfare")).map(str::to_owned));
            }
        }
    }

    #[test]
    fn every_part_that_logs_is_known() {
        let mut found = Vec::new();
        for krate in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap() {
            let source = krate.unwrap().path().join("src");
            if source.is_dir() {
                targets(&source, &mut found);
            }
        }
        assert!(found.len() > 20, "{found:?}");
        let unknown: Vec<_> = found.iter().filter(|name| !PARTS.contains(&name.as_str())).collect();
        assert_eq!(unknown, Vec::<&String>::new());
    }
}
