//! Laravel's Redis: whether the doctor can subscribe, and which prefix the application uses.

use std::collections::BTreeMap;
use std::time::Duration;

use fanfare_laravel::feed::{self, Packed, Seen};
use fanfare_outgoing::Trust;
use fanfare_redis::{NotAnAddress, RedisAddress, RedisError};

use super::hop::{Complaint, Outcome, complain};
use super::redis_names::RedisNames;

/// A Redis to check.
#[derive(Clone)]
pub struct AskedRedis {
    /// The address, or the fault of the URL.
    pub address: Result<RedisAddress, NotAnAddress>,
    /// The trusted certificate authorities.
    pub trust: Trust,
    /// The configured prefix, or the presumed one.
    pub prefix: Option<String>,
    /// What remedies call the settings.
    pub(super) names: RedisNames,
}

/// Every message of a time span, counted by prefix.
pub(super) async fn watch(
    asked: &AskedRedis,
    time: Duration,
) -> Result<(String, BTreeMap<String, Seen>), Complaint> {
    let address = match &asked.address {
        Ok(address) => address,
        Err(error) => return complain(error.to_string(), "Write it so with --redis, or in REDIS_URL."),
    };
    let hosts: Vec<String> = address.hosts().iter().map(ToString::to_string).collect();
    match feed::watch(address, &asked.trust, time).await {
        Ok(seen) => Ok((format!("{} lets itself be listened to", hosts.join(", ")), seen)),
        Err(error) => {
            let mend = mend(&error, &asked.names);
            complain(error.to_string(), mend)
        }
    }
}

fn mend(error: &RedisError, names: &RedisNames) -> String {
    match error {
        RedisError::Refused(text) if text.starts_with("NOAUTH") => {
            format!("This Redis wants a password: {}.", names.password())
        }
        RedisError::LogIn { .. } => format!(
            "Compare user and password with {}, and try them: redis-cli --user USER --askpass PING.",
            names.log_in()
        ),
        RedisError::Refused(text) if text.starts_with("NOPERM") => {
            "The user may not listen: ACL SETUSER NAME +psubscribe +subscribe +ping allchannels. (The application's \
             needs +eval and +publish.)"
                .to_owned()
        }
        RedisError::Unreachable { .. } => format!(
            "Start Redis, or see to {}. In Docker 127.0.0.1 is the container itself; Redis's own `bind` and \
             `protected-mode` keep other machines out.",
            names.address()
        ),
        RedisError::Tls { .. } => names.tls(),
        RedisError::NotRedis => format!("Another program listens there: see to {}.", names.address()),
        RedisError::NoMaster(_) => {
            format!("Compare {} with `sentinel monitor` of the sentinels.", names.master())
        }
        _ => "See the log of Redis.".to_owned(),
    }
}

/// Whether the application publishes under the configured prefix.
pub(super) fn judge(asked: &AskedRedis, seen: &BTreeMap<String, Seen>, time: Duration) -> Outcome {
    let broadcasts = |fits: &dyn Fn(&str) -> bool| -> u64 {
        seen.iter().filter(|(prefix, _)| fits(prefix)).map(|(_, seen)| seen.broadcasts).sum()
    };
    // A public channel shows only its whole name, unless its prefix has the form of Laravel's.
    let has_own = |seen: &str| seen.contains("database_") || seen.contains("database-");
    let heard = |prefix: &str, seen: &str| seen.starts_with(prefix) && (!prefix.is_empty() || !has_own(seen));
    let others: Vec<&str> = seen
        .iter()
        .filter(|(name, seen)| {
            seen.broadcasts > 0 && !asked.prefix.as_deref().is_some_and(|own| heard(own, name))
        })
        .map(|(name, _)| name.as_str())
        .collect();
    let is_own = |name: &str, seen: &Seen| {
        asked.prefix.as_deref().is_none_or(|own| name.starts_with(own)) && seen.broadcasts == 0
    };
    let packed = seen.iter().filter(|(name, seen)| is_own(name, seen)).find_map(|(_, seen)| seen.packed);
    if let Some(packed) = packed {
        return Outcome::Failed(unpacked(packed));
    }
    match (&asked.prefix, &others[..]) {
        (_, []) if broadcasts(&|_| true) == 0 => Outcome::Noted(format!(
            "nothing was broadcast in {} s: {}",
            time.as_secs(),
            asked.names.wording.watch_longer()
        )),
        (Some(prefix), []) => {
            let count = broadcasts(&|seen| heard(prefix, seen));
            Outcome::Passed(format!("the application publishes {}: {count} broadcasts seen", under(prefix)))
        }
        (Some(prefix), others) if broadcasts(&|seen| heard(prefix, seen)) > 0 => Outcome::Passed(format!(
            "the application publishes {}; another one under {}",
            under(prefix),
            listed(others)
        )),
        (Some(prefix), others) => Outcome::Failed(Complaint {
            what: format!(
                "your application publishes on channels that begin with {}, but {}",
                listed(others),
                match prefix.as_str() {
                    "" => "no prefix is set".to_owned(),
                    prefix => format!("the prefix is set to `{prefix}`"),
                }
            ),
            mend: format!(
                "{} As it is, nothing is delivered.",
                asked.names.set_prefix(others.first().copied().unwrap_or_default())
            ),
        }),
        (None, others) => Outcome::Noted(format!(
            "your application publishes on channels that begin with {}: set redis_feed.prefix to that",
            listed(others)
        )),
    }
}

/// Broadcasts that phpredis has packed are read by nobody else.
fn unpacked(packed: Packed) -> Complaint {
    Complaint {
        what: format!(
            "the application publishes messages that phpredis has packed: {} seems to be {}",
            packed.option(),
            packed.by()
        ),
        mend: format!(
            "Laravel's broadcasts have to be plain JSON: take {} away from the Redis connection that broadcasts, or \
                 give broadcasting a connection of its own without it (config/broadcasting.php, `connection`).",
            packed.option()
        ),
    }
}

fn under(prefix: &str) -> String {
    if prefix.is_empty() { "without a prefix".to_owned() } else { format!("under `{prefix}`") }
}

fn listed(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().take(5).map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(prefix: Option<&str>) -> AskedRedis {
        AskedRedis {
            address: RedisAddress::parse("redis://127.0.0.1"),
            trust: Trust::public(),
            prefix: prefix.map(str::to_owned),
            names: RedisNames::default(),
        }
    }

    fn judged(prefix: Option<&str>, names: &[&str]) -> Outcome {
        let seen = |name: &&str| ((*name).to_owned(), Seen { broadcasts: 1, ..Seen::default() });
        judge(&asked(prefix), &names.iter().map(seen).collect(), Duration::from_secs(5))
    }

    #[test]
    fn a_prefix_is_right_if_something_is_broadcast_under_it() {
        assert!(matches!(judged(Some("shop_"), &["shop_"]), Outcome::Passed(_)));
        assert!(matches!(judged(Some("shop_"), &["shop_news"]), Outcome::Passed(_)));
        assert!(matches!(judged(Some("shop_"), &["shop_", "other_"]), Outcome::Passed(_)));
        assert!(matches!(judged(Some(""), &["news"]), Outcome::Passed(_)));
    }

    #[test]
    fn a_prefix_is_wrong_if_all_is_broadcast_under_others() {
        assert!(matches!(judged(Some("laravel_database_"), &["my_app_database_"]), Outcome::Failed(_)));
        assert!(matches!(judged(Some(""), &["my_app_database_"]), Outcome::Failed(_)));
    }

    #[test]
    fn what_phpredis_has_packed_under_the_prefix_is_told_with_the_option() {
        let packed = Seen { broadcasts: 0, others: 3, packed: Some(Packed::Compressed("lz4")) };
        let seen = BTreeMap::from([("shop_".to_owned(), packed)]);
        let judged = |prefix: &str| judge(&asked(Some(prefix)), &seen, Duration::from_secs(5));
        let Outcome::Failed(complaint) = judged("shop_") else { panic!("it is amiss") };
        assert!(complaint.what.contains("database.redis.options.compression seems to be lz4"));
        assert!(matches!(judged("other_"), Outcome::Noted(_)));
    }

    #[test]
    fn silence_and_a_prefix_that_nobody_set_are_noted() {
        assert!(matches!(judged(Some("laravel_database_"), &[]), Outcome::Noted(_)));
        assert!(matches!(judged(None, &["my_app_database_"]), Outcome::Noted(_)));
    }
}
