//! What is wrong with the settings of an app. Repeats no secret.

use fanfare_protocol::webhook::Kind;

/// Most webhooks of one app.
pub const MOST_WEBHOOKS: usize = 10;

/// Most prefixes of one webhook.
pub const MOST_CHANNEL_PREFIXES: usize = 20;

/// Longest prefix of a Redis feed, in bytes.
pub const LONGEST_FEED_PREFIX: usize = 200;

/// A setting with an illegal value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingFault {
    /// A number is too small or too large.
    #[error("{name} is {value}; it must be from {least} to {most}")]
    OutOfRange {
        /// The setting.
        name: &'static str,
        /// The value found.
        value: usize,
        /// The smallest legal value.
        least: usize,
        /// The largest legal value.
        most: usize,
    },
    /// An allowed origin is no host pattern.
    #[error("allowed_origins holds {0:?}; give a host alone, such as example.com or *.example.com")]
    NotAHostPattern(String),
    /// A text in a section has a form that the setting does not take.
    #[error("{name} holds {value:?}; give {expected}")]
    Unfit {
        /// The setting.
        name: &'static str,
        /// The value found.
        value: String,
        /// The legal form.
        expected: &'static str,
    },
    /// A webhook has a fault.
    #[error("webhooks[{number}]{fault}")]
    Webhook {
        /// The webhook's position in the list, from 1.
        number: usize,
        /// The webhook's fault.
        fault: WebhookFault,
    },
    /// There are too many webhooks.
    #[error("webhooks holds {0}; there may be {MOST_WEBHOOKS}")]
    TooManyWebhooks(usize),
    /// A prefix is longer than any of Laravel's, or has control characters.
    #[error("redis_feed.prefix is longer than {LONGEST_FEED_PREFIX} bytes, or holds control characters")]
    FeedPrefix,
    /// A Redis of the app's own is set without the prefix of its channels.
    #[error(
        "redis_feed.url is set without redis_feed.prefix; write Laravel's database.redis.options.prefix, \
         or an empty text if there is none"
    )]
    NoFeedPrefix,
}

/// The fault of one webhook.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookFault {
    /// The URL is missing.
    #[error(" has no url")]
    NoUrl,
    /// The URL cannot be used.
    #[error(
        ".url holds {0:?}; give a URL such as https://example.com/webhooks, without a user or password in it"
    )]
    Url(String),
    /// Another webhook of the app has the same URL.
    #[error(".url is that of webhooks[{0}] already; put their events together")]
    SameUrl(usize),
    /// No event is wanted.
    #[error(" has no events; name some of {}", Kind::names_explained())]
    NoEvents,
    /// No kind has this name.
    #[error(".events holds {0:?}; there are {names}", names = Kind::names_explained())]
    Event(String),
    /// No channel begins with this prefix.
    #[error(".channel_prefixes holds {0:?}; give 1 to 200 characters without control characters")]
    Prefix(String),
    /// The list is too long: every event is compared with each prefix.
    #[error(".channel_prefixes holds {0}; there may be {MOST_CHANNEL_PREFIXES}")]
    TooManyPrefixes(usize),
}
