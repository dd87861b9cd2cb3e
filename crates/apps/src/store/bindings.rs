//! The apps that tokens are bound to, where an app comes or goes. Decides nothing.
//!
//! A token must never be good for another app that gets the same id, and never for all apps.

/// Takes an app out of the bound tokens. A token of this app alone keeps the id for the list, and is revoked.
macro_rules! unbind {
    ($now:literal, $find:literal, $trim:literal) => {
        concat!(
            "UPDATE admin_tokens SET revoked_at = CASE WHEN apps = $1 THEN coalesce(revoked_at, ",
            $now,
            ") ELSE revoked_at END, apps = CASE WHEN apps = $1 THEN apps ELSE ",
            $trim,
            "(replace(',' || apps || ',', ',' || CAST($1 AS TEXT) || ',', ','), ',') END WHERE ",
            $find,
            "(',' || apps || ',', ',' || CAST($1 AS TEXT) || ',') > 0"
        )
    };
}

pub(super) const UNBIND_SQLITE: &str =
    unbind!("CAST(unixepoch('subsec') * 1000 AS INTEGER)", "instr", "trim");
pub(super) const UNBIND_POSTGRES: &str = unbind!("clock_timestamp()", "strpos", "btrim");
