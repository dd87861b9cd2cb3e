//! What the settings of a Redis are called where their user has them, so that a remedy names what stands before its reader.

use std::path::Path;

use fanfare_config::LaravelEchoServer;

use super::wording::Wording;

/// The names. Without a file those of the configuration, the command line and a Laravel project are meant.
#[derive(Clone, Default)]
pub(super) struct RedisNames {
    /// The file of a laravel-echo-server, and the options that say where Redis is.
    address: Option<(String, String)>,
    /// That file, if it is there that the prefix stands.
    prefix: Option<String>,
    /// For whom remedies are worded.
    pub wording: Wording,
}

/// Whether an option says where Redis is, rather than who logs in or how.
fn is_place(option: &str) -> bool {
    let option = option.to_ascii_lowercase();
    ["host", "port", "sentinels", "databaseconfig.redis"].iter().any(|end| option.ends_with(end))
}

impl RedisNames {
    /// The names in the file of a laravel-echo-server, as far as no other source overrides it.
    pub fn of(former: &LaravelEchoServer) -> Self {
        let file = shown(&former.file);
        let address = former.option_of("redis_feed.url").map(|options| {
            let places: Vec<&str> = options.split(", ").filter(|option| is_place(option)).collect();
            // The default names no option.
            let usual = "databaseConfig.redis.host and databaseConfig.redis.port";
            (file.clone(), if places.is_empty() { usual.to_owned() } else { places.join(", ") })
        });
        let prefix = former.option_of("redis_feed.prefix").map(|_| file);
        Self { address, prefix, wording: Wording::Options }
    }

    /// The usual names, for whoever reads the answer of a server.
    pub fn inside() -> Self {
        Self { wording: Wording::Settings, ..Self::default() }
    }

    /// As these, for a prefix of the command line.
    pub fn without_prefix(self) -> Self {
        Self { prefix: None, ..self }
    }

    /// What says where Redis is.
    pub fn address(&self) -> String {
        match &self.address {
            Some((file, options)) => format!("{options} in {file}"),
            None => "REDIS_HOST and REDIS_PORT".to_owned(),
        }
    }

    /// How to name a password.
    pub fn password(&self) -> String {
        match &self.address {
            Some((file, _)) => format!("set databaseConfig.redis.password in {file}"),
            None => "give it in the URL (redis://:PASSWORD@HOST:PORT), or as REDIS_PASSWORD".to_owned(),
        }
    }

    /// What says who logs in.
    pub fn log_in(&self) -> String {
        match &self.address {
            Some((file, _)) => {
                format!("databaseConfig.redis.username and databaseConfig.redis.password in {file}")
            }
            None => "REDIS_USERNAME and REDIS_PASSWORD".to_owned(),
        }
    }

    /// How to switch TLS on or off.
    pub fn tls(&self) -> String {
        match &self.address {
            Some((file, _)) => format!(
                "Set databaseConfig.redis.tls to {{}} in {file} where Redis has TLS, and take it out where Redis has none; a \
                 private authority is named by redis_feed.ca_file of Fanfare's own settings, or by --ca-file here."
            ),
            None => format!(
                "Use redis:// where Redis has no TLS, rediss:// where it has; {}.",
                self.wording.private_authority()
            ),
        }
    }

    /// What names the master of Sentinels.
    pub fn master(&self) -> String {
        match &self.address {
            Some((file, _)) => format!("databaseConfig.redis.name in {file}"),
            None => "the name of the master".to_owned(),
        }
    }

    /// How to set the prefix that the application uses.
    pub fn set_prefix(&self, real: &str) -> String {
        match (&self.prefix, real) {
            (Some(file), "") => format!("Take databaseConfig.redis.keyPrefix out of {file}."),
            (Some(file), real) => format!("Set databaseConfig.redis.keyPrefix to \"{real}\" in {file}."),
            (None, real) => format!(
                "Set the prefix to `{real}`: redis_feed.prefix = \"{real}\" in the configuration, or REDIS_PREFIX={real} in \
                 the .env."
            ),
        }
    }
}

fn shown(file: &Path) -> String {
    file.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_options_that_say_where_redis_is_are_its_address() {
        let of_redis = ["host", "port", "sentinels", "name", "username", "password", "tls", "keyPrefix"];
        let named: Vec<&str> = of_redis
            .into_iter()
            .filter(|option| is_place(&format!("databaseConfig.redis.{option}")))
            .collect();
        assert_eq!(named, ["host", "port", "sentinels"]);
        assert!(
            is_place("LARAVEL_ECHO_SERVER_REDIS_HOST") && !is_place("LARAVEL_ECHO_SERVER_REDIS_PASSWORD")
        );
    }
}
