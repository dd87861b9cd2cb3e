//! `fanfare laravel env`: the settings of a Laravel application that broadcasts through this server.
//!
//! Three blocks for one driver: `.env`, the connection in `config/broadcasting.php`, and Echo. PHP and browsers may
//! reach the server by different addresses; each line names its user.

use clap::ValueEnum;
use fanfare_config::ServerUrl;
use fanfare_protocol::app::App;

/// The Laravel broadcaster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LaravelDriver {
    /// Pusher's PHP SDK, with PUSHER_... variables; every version of Laravel has it
    #[default]
    Pusher,
    /// The same with REVERB_... variables, as Laravel 11 and newer install them
    Reverb,
    /// Redis pub/sub; Echo asks this server for leave to join, which asks the application
    Redis,
}

/// The lines for one app.
#[derive(Debug)]
pub struct LaravelLines<'a> {
    /// The app whose credentials are printed.
    pub app: &'a App,
    /// The secret, or its placeholder.
    pub secret: &'a str,
    /// The address for PHP.
    pub php: ServerUrl,
    /// The address for browsers.
    pub browser: ServerUrl,
    /// The configured path prefix.
    pub path_prefix: &'a str,
    /// Whether the HTTP fallback is served.
    pub fallback: bool,
}

/// Options of pusher-js for its way without WebSockets, which has a host and ports of its own (FALLBACK-003); without that
/// way, the option that keeps pusher-js from asking Pusher's own hosts. `host` and `port` are expressions.
pub(crate) fn transports(fallback: bool, host: &str, port: &str, path_prefix: &str) -> Vec<String> {
    if !fallback {
        return vec!["enabledTransports: ['ws', 'wss']".to_owned()];
    }
    let mut options =
        vec![format!("httpHost: {host}"), format!("httpPort: {port}"), format!("httpsPort: {port}")];
    if !path_prefix.is_empty() {
        options.push(format!("httpPath: '{path_prefix}/pusher'"));
    }
    options
}

impl LaravelLines<'_> {
    /// All three blocks.
    #[must_use]
    pub fn text(&self, driver: LaravelDriver) -> String {
        format!(
            "# .env\n{}\n// config/broadcasting.php, in 'connections' (`php artisan config:publish broadcasting` makes \
             the file where there is none)\n{}\n// Browser: Laravel Echo (npm install laravel-echo pusher-js)\n{}",
            self.dotenv(driver),
            self.connection(driver),
            self.echo(driver)
        )
    }

    /// The `.env`.
    #[must_use]
    pub fn dotenv(&self, driver: LaravelDriver) -> String {
        let name = match driver {
            LaravelDriver::Pusher => "pusher",
            LaravelDriver::Reverb => "reverb",
            LaravelDriver::Redis => "redis",
        };
        let mut lines = vec![format!("BROADCAST_CONNECTION={name}"), format!("BROADCAST_DRIVER={name}")];
        if driver == LaravelDriver::Redis {
            lines.push(
                "# What the application's Redis is, for `fanfare serve --laravel`; leave out what is there."
                    .to_owned(),
            );
            lines.extend(["REDIS_HOST=127.0.0.1", "REDIS_PORT=6379"].map(str::to_owned));
        }
        let of = Self::family(driver);
        let key = self.app.credentials.first().map_or("", |credential| credential.key.as_str());
        lines.push(format!("{of}_APP_ID={}", self.app.id));
        lines.push(format!("{of}_APP_KEY={key}"));
        lines.push(format!("{of}_APP_SECRET={}", self.secret));
        lines.push(format!("{of}_HOST={}", self.php.host));
        lines.push(format!("{of}_PORT={}", self.php.port));
        lines.push(format!("{of}_SCHEME={}", self.php.scheme()));
        if !self.path_prefix.is_empty() {
            // PHP's SDK drops a path that does not end in a slash.
            lines.push(format!("{of}_PATH={}/", self.path_prefix));
        }
        if of == "PUSHER" {
            lines.push("PUSHER_APP_CLUSTER=mt1".to_owned());
        }
        lines.extend(self.vite(of));
        lines.join("\n") + "\n"
    }

    /// The variables that Vite builds into the page.
    fn vite(&self, of: &str) -> Vec<String> {
        let same = |name: &str| format!("VITE_{of}_{name}=\"${{{of}_{name}}}\"");
        let mut lines = vec![same("APP_KEY")];
        if self.browser == self.php {
            lines.extend(["HOST", "PORT", "SCHEME"].map(same));
        } else {
            let ServerUrl { host, port, .. } = &self.browser;
            lines.push(format!("VITE_{of}_HOST={host}"));
            lines.push(format!("VITE_{of}_PORT={port}"));
            lines.push(format!("VITE_{of}_SCHEME={}", self.browser.scheme()));
        }
        if of == "PUSHER" {
            lines.push(same("APP_CLUSTER"));
        }
        lines
    }

    /// The connection in `config/broadcasting.php`.
    #[must_use]
    pub fn connection(&self, driver: LaravelDriver) -> String {
        if driver == LaravelDriver::Redis {
            return "'redis' => [\n    'driver' => 'redis',\n    'connection' => 'default',\n],\n".to_owned();
        }
        let of = Self::family(driver);
        let name = of.to_lowercase();
        let (tls, port) = (self.php.scheme(), self.php.port);
        let path = match self.path_prefix {
            "" => String::new(),
            _ => format!("        'path' => env('{of}_PATH'),\n"),
        };
        format!(
            "'{name}' => [\n    'driver' => '{name}',\n    'key' => env('{of}_APP_KEY'),\n    'secret' => \
             env('{of}_APP_SECRET'),\n    'app_id' => env('{of}_APP_ID'),\n    'options' => [\n        'host' => \
             env('{of}_HOST', '{host}'),\n        'port' => env('{of}_PORT', {port}),\n        'scheme' => \
             env('{of}_SCHEME', '{tls}'),\n        'useTLS' => env('{of}_SCHEME', '{tls}') === 'https',\n{path}    \
             ],\n],\n",
            host = self.php.host,
        )
    }

    /// The page's script.
    #[must_use]
    pub fn echo(&self, driver: LaravelDriver) -> String {
        let of = Self::family(driver);
        let env = |name: &str| format!("import.meta.env.VITE_{of}_{name}");
        let mut options = vec![
            format!("broadcaster: '{}'", if of == "REVERB" { "reverb" } else { "pusher" }),
            format!("key: {}", env("APP_KEY")),
        ];
        if of == "PUSHER" {
            options.push(format!("cluster: {}", env("APP_CLUSTER")));
        }
        options.push(format!("wsHost: {}", env("HOST")));
        options.push(format!("wsPort: {}", env("PORT")));
        options.push(format!("wssPort: {}", env("PORT")));
        if !self.path_prefix.is_empty() {
            options.push(format!("wsPath: '{}'", self.path_prefix));
        }
        options.push(format!("forceTLS: {} === 'https'", env("SCHEME")));
        options.extend(transports(self.fallback, &env("HOST"), &env("PORT"), self.path_prefix));
        if driver == LaravelDriver::Redis {
            let ServerUrl { host, port, .. } = &self.browser;
            let key = self.app.credentials.first().map_or("", |credential| credential.key.as_str());
            let (scheme, prefix) = (self.browser.scheme(), self.path_prefix);
            options.push(format!("authEndpoint: '{scheme}://{host}:{port}{prefix}/app/{key}/auth'"));
        }
        let options: String = options.iter().map(|option| format!("    {option},\n")).collect();
        format!(
            "import Echo from 'laravel-echo';\nimport Pusher from 'pusher-js';\nwindow.Pusher = \
             Pusher;\nwindow.Echo = new Echo({{\n{options}}});\n"
        )
    }

    fn family(driver: LaravelDriver) -> &'static str {
        if driver == LaravelDriver::Reverb { "REVERB" } else { "PUSHER" }
    }
}
