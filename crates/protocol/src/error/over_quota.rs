//! The message for an app whose quota of messages is used up: the same words for clients and back ends.
//!
//! Begins as hosted Pusher's text for a connection quota; Pusher's text for messages is unknown.

use crate::app::Quota;

/// Messages refused because of an app's quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "Account over quota (at most {limit} messages a {}, {came} more came, setting {})",
    .quota.period(),
    .quota.setting()
)]
pub struct OverQuota {
    /// The quota.
    pub quota: Quota,
    /// The quota's limit.
    pub limit: usize,
    /// Number of messages that came together; none of them is published.
    pub came: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_names_the_limit_what_came_and_the_setting() {
        let over = OverQuota { quota: Quota::Day, limit: 1000, came: 3 };
        assert_eq!(
            over.to_string(),
            "Account over quota (at most 1000 messages a day, 3 more came, setting messages_per_day)"
        );
        assert!(
            OverQuota { quota: Quota::Second, ..over }
                .to_string()
                .ends_with("1000 messages a second, 3 more came, setting messages_per_second)")
        );
    }
}
