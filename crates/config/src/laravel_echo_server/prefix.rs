//! The prefix of channels, `databaseConfig.redis.keyPrefix`: Laravel's, not a matter of taste.
//!
//! A wrong prefix is the usual reason why nothing arrives. A warning says what was found where, which channels are
//! listened to, and what to change; nothing is said where all that is known agrees.

use fanfare_laravel::dotenv::{Prefix, PrefixOrigin, Project};

use super::options::{Options, in_words};
use super::takeover::Takeover;

const OPTION: &str = "databaseConfig.redis.keyPrefix";

/// The setting that the option becomes.
const SETTING: &str = "redis_feed.prefix";

/// The last resort of whoever does not know the prefix.
const ASK: &str =
    "`fanfare doctor --laravel-echo-server FILE` listens, and names the prefix that is really used";

/// Takes over the prefix, and compares it with what the application's files beside the options tell.
pub(super) fn take(options: &Options, takeover: &mut Takeover) {
    let found = options.filled(OPTION);
    let given = match &found {
        None => "",
        Some(found) => match found.value.as_str() {
            Some(prefix) => prefix,
            None => return takeover.wrong(found.place.clone(), "a text", &in_words(&found.value)),
        },
    };
    let told = options.beside.as_ref().and_then(Project::redis_prefix);
    let said = match (given, &told) {
        ("", Some(Prefix { value, origin })) if value.is_empty() => {
            format!("{OPTION}, which is not set; no prefix by {}, too", source(origin))
        }
        ("", _) => format!("{OPTION}, which is not set"),
        _ => OPTION.to_owned(),
    };
    takeover.set((SETTING, given), options.place(OPTION), said);
    if let Some(warning) = warning(given, told.as_ref()) {
        takeover.warn_if_used(SETTING, warning);
    }
}

/// What an operator must know of a prefix, and of what is told of the application's own.
fn warning(given: &str, told: Option<&Prefix>) -> Option<String> {
    let listened = match given {
        "" => {
            "not set, so that every channel of that Redis is listened to, each by its whole name".to_owned()
        }
        _ => format!("{given:?}, so that channels that begin with {given:?} are listened to"),
    };
    let Some(Prefix { value, origin }) = told else {
        return given.is_empty().then(|| {
            format!(
                "{OPTION}: {listened}. That is right only if Laravel has no prefix (database.redis.options.prefix is \
                 empty, as REDIS_PREFIX= makes it). Otherwise set {OPTION} to that prefix, often laravel_database_ or \
                 laravel-database-; {ASK}"
            )
        });
    };
    let other = match origin {
        PrefixOrigin::Guess(other) if other == given => return None,
        PrefixOrigin::Guess(other) => format!(" or {other:?}"),
        _ => String::new(),
    };
    if value == given {
        return None;
    }
    let (source, doubt) =
        (source(origin), if other.is_empty() { "" } else { ", unless config/database.php says otherwise" });
    Some(match (value.as_str(), given) {
        ("", _) => format!(
            "{OPTION}: {listened}; but by {source} the application publishes without a prefix, so that nothing arrives. \
             Take {OPTION} out of the file; {ASK}"
        ),
        (value, _) => format!(
            "{OPTION}: {listened}; but by {source} the application publishes on channels that begin with \
             {value:?}{other}{doubt}. Where that is so, nothing arrives: set {OPTION} to {value:?}{other}; {ASK}"
        ),
    })
}

/// The file beside the options that tells the application's prefix.
fn source(origin: &PrefixOrigin) -> &'static str {
    match origin {
        PrefixOrigin::Variable => "REDIS_PREFIX in the .env beside this file",
        PrefixOrigin::DatabaseConfig => "config/database.php beside this file",
        PrefixOrigin::Framework(_) => "the version of Laravel in the composer.lock beside this file",
        PrefixOrigin::Guess(_) => "APP_NAME in the .env beside this file",
    }
}
