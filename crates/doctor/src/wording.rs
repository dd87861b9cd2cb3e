//! What the doctor says where something is not named or not given: in options for whoever runs the command, in settings for
//! whoever reads the answer of a server that examines itself (CON-056).

/// For whom the doctor words what can be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Wording {
    /// `fanfare doctor`.
    #[default]
    Options,
    /// An operator, in the console or by the administration API.
    Settings,
}

impl Wording {
    const fn of(self, options: &'static str, settings: &'static str) -> &'static str {
        match self {
            Self::Options => options,
            Self::Settings => settings,
        }
    }

    pub const fn no_key(self) -> &'static str {
        self.of(
            "no app key is known: use --key, --config, --laravel or --laravel-echo-server",
            "the node alone is examined: the doctor of an app goes on from here",
        )
    }

    pub const fn no_redis(self) -> &'static str {
        self.of(
            "no Redis is named: use --redis, --config with redis_feed.url, --laravel with the driver redis, or \
             --laravel-echo-server with the subscriber redis",
            "no Redis is examined: set redis_feed.url of the app or of the server where the application broadcasts \
             through Redis",
        )
    }

    pub const fn no_channel(self) -> &'static str {
        self.of(
            "no channel is named: use --channel, and --cookie or --header of a user",
            "no channel is named: name one, and the application at the app's authorization.url is asked about it",
        )
    }

    /// The channel that is named is none.
    pub const fn see_channel(self) -> &'static str {
        self.of("See to --channel.", "Name another channel.")
    }

    /// The headers of a question cannot be sent.
    pub const fn and_headers(self) -> &'static str {
        self.of(" and --header", "")
    }

    pub const fn watch_longer(self) -> &'static str {
        self.of(
            "have the application broadcast something meanwhile, and watch longer with --watch 60",
            "have the application broadcast something while the doctor runs",
        )
    }

    /// How a user is named to the application; behind a sentence that nobody is logged in.
    pub const fn log_in(self) -> &'static str {
        self.of(
            "give the cookie or token of a user (--cookie, --header)",
            "the server asks without the cookie of a user; `fanfare doctor` asks with one",
        )
    }

    pub const fn private_authority(self) -> &'static str {
        self.of(
            "a private authority is given with --ca-file",
            "a private authority is named by redis_feed.ca_file",
        )
    }

    /// Nothing listens at an address of this machine.
    pub const fn nothing_here(self) -> &'static str {
        self.of(
            "Start the server or proxy. If the server runs, it listens elsewhere: its first line names the address, to be \
             given by --url. In a container this address is the container itself.",
            "The server does not accept connections at its own address: see whether it is shutting down, and its log.",
        )
    }
}
