//! The actions that the audit log knows, and their names. Holds nothing of an entry.

use std::fmt;

/// What was done (CON-084).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditAction {
    /// An app was made.
    AppCreate,
    /// An app's name, settings or state was changed.
    AppUpdate,
    /// An app was deleted.
    AppDelete,
    /// An app got a key.
    KeyCreate,
    /// A key was revoked.
    KeyRevoke,
    /// The secrets of an app were shown.
    SecretShow,
    /// A token was made.
    TokenCreate,
    /// A token was revoked.
    TokenRevoke,
    /// Somebody logged in.
    SessionLogin,
    /// Somebody was not let in.
    SessionFailed,
    /// An event was sent.
    EventSend,
    /// A test event was sent to a webhook.
    WebhookTest,
    /// A delivery of a webhook was repeated.
    WebhookAgain,
    /// A connection was closed.
    ConnectionClose,
    /// The connections of a user were closed.
    UserTerminate,
    /// A live list that shows what events carry was opened, or has ended.
    LivePayloads,
    /// Settings were read again.
    ConfigReload,
}

impl AuditAction {
    /// Every action.
    pub const ALL: [Self; 17] = [
        Self::AppCreate,
        Self::AppUpdate,
        Self::AppDelete,
        Self::KeyCreate,
        Self::KeyRevoke,
        Self::SecretShow,
        Self::TokenCreate,
        Self::TokenRevoke,
        Self::SessionLogin,
        Self::SessionFailed,
        Self::EventSend,
        Self::WebhookTest,
        Self::WebhookAgain,
        Self::ConnectionClose,
        Self::UserTerminate,
        Self::LivePayloads,
        Self::ConfigReload,
    ];

    /// The action with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }

    /// The action's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AppCreate => "app.create",
            Self::AppUpdate => "app.update",
            Self::AppDelete => "app.delete",
            Self::KeyCreate => "key.create",
            Self::KeyRevoke => "key.revoke",
            Self::SecretShow => "secret.show",
            Self::TokenCreate => "token.create",
            Self::TokenRevoke => "token.revoke",
            Self::SessionLogin => "session.login",
            Self::SessionFailed => "session.failed",
            Self::EventSend => "event.send",
            Self::WebhookTest => "webhook.test",
            Self::WebhookAgain => "webhook.again",
            Self::ConnectionClose => "connection.close",
            Self::UserTerminate => "user.terminate",
            Self::LivePayloads => "live.payloads",
            Self::ConfigReload => "config.reload",
        }
    }
}

impl fmt::Display for AuditAction {
    /// A sentence for logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AppCreate => "app created",
            Self::AppUpdate => "app updated",
            Self::AppDelete => "app deleted",
            Self::KeyCreate => "key of an app made",
            Self::KeyRevoke => "key of an app revoked",
            Self::SecretShow => "secrets of an app shown",
            Self::TokenCreate => "token made",
            Self::TokenRevoke => "token revoked",
            Self::SessionLogin => "logged in",
            Self::SessionFailed => "login refused",
            Self::EventSend => "event sent",
            Self::WebhookTest => "webhook tested",
            Self::WebhookAgain => "delivery of a webhook repeated",
            Self::ConnectionClose => "connection closed",
            Self::UserTerminate => "connections of a user closed",
            Self::LivePayloads => "live list with payloads opened",
            Self::ConfigReload => "settings read again",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn con_084_every_action_is_found_by_its_name() {
        for action in AuditAction::ALL {
            assert_eq!(AuditAction::named(action.as_str()), Some(action));
        }
        assert_eq!(AuditAction::named("app.made"), None);
    }
}
