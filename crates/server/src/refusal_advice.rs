//! What to do about each kind of refusal, and the setting that decided (CON-044).
//!
//! The one table is `refusal_advice.txt`: what `fanfare doctor` says of the same fault, in a sentence for whoever builds the
//! application.

use std::collections::HashMap;
use std::sync::LazyLock;

use fanfare_node::refusals::RefusalKind;

/// The lines of the table behind its first, which explains them.
const TABLE: &str = include_str!("refusal_advice.txt");

/// The table by kind and cause.
static ADVICE: LazyLock<HashMap<(&str, &str), RefusalAdvice>> = LazyLock::new(|| lines().collect());

/// A setting, if one has decided, and what to do, if there is something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefusalAdvice {
    /// The setting's name, as in the configuration or among those of the app.
    pub setting: Option<&'static str>,
    /// A sentence.
    pub text: Option<&'static str>,
}

/// The advice for a cause.
#[must_use]
pub fn advice(kind: RefusalKind, cause: &str) -> RefusalAdvice {
    let kind = match kind {
        RefusalKind::Handshake | RefusalKind::Closed | RefusalKind::SlowReader => "connection",
        other => other.label(),
    };
    let found = ADVICE.get(&(kind, cause)).or_else(|| ADVICE.get(&(kind, "*")));
    found.copied().unwrap_or_default()
}

fn lines() -> impl Iterator<Item = ((&'static str, &'static str), RefusalAdvice)> {
    let filled = |part: &'static str| (part != "-").then_some(part);
    TABLE.lines().skip(1).flat_map(move |line| {
        let mut parts = line.splitn(4, " | ");
        let [kind, causes, setting, text] = [(); 4].map(|()| parts.next().unwrap_or("-"));
        let advice = RefusalAdvice { setting: filled(setting), text: filled(text) };
        causes.split(' ').map(move |cause| ((kind, cause), advice))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULTS: &str = include_str!("../../../config/default.toml");

    /// `section.key` of every key of the configuration, and the settings of an app, which have comments there.
    fn settings() -> Vec<String> {
        let mut section = "";
        let mut all = Vec::new();
        for line in DEFAULTS.lines() {
            let line = line.trim_start_matches("# ");
            if let Some(named) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
                section = named.trim_start_matches("[").trim_start_matches("apps.list.");
            } else if let Some((key, _)) = line.split_once(" = ") {
                all.push(format!("{section}.{key}"));
                all.push(key.to_owned());
            }
        }
        all
    }

    #[test]
    fn con_044_every_setting_that_the_table_names_is_one() {
        let known = settings();
        for ((kind, cause), RefusalAdvice { setting, text }) in lines() {
            assert!(setting.is_some() || text.is_some(), "{kind} {cause} has a line without a word");
            let is_known = |setting: &str| known.iter().any(|known| known == setting);
            assert!(setting.is_none_or(is_known), "{setting:?} is no setting");
        }
        assert!(lines().count() > 100);
    }

    #[test]
    fn con_044_the_refusals_that_people_ask_about_have_advice() {
        for (kind, cause) in [
            (RefusalKind::Http, "signature_mismatch"),
            (RefusalKind::Http, "unknown_app"),
            (RefusalKind::Http, "event_too_big"),
            (RefusalKind::Handshake, "unknown_key"),
            (RefusalKind::Handshake, "revoked_key"),
            (RefusalKind::Handshake, "origin_refused"),
            (RefusalKind::Handshake, "over_quota"),
            (RefusalKind::Message, "wrong_signature"),
            (RefusalKind::Message, "client_events_off"),
            (RefusalKind::Authorization, "denied"),
            (RefusalKind::Authorization, "late"),
            (RefusalKind::SlowReader, "slow_reader"),
            (RefusalKind::Quota, "over_message_quota"),
            (RefusalKind::Redis, "prefix"),
            (RefusalKind::Webhook, "given_up"),
        ] {
            assert!(advice(kind, cause).text.is_some(), "{kind:?} {cause}");
        }
    }
}
