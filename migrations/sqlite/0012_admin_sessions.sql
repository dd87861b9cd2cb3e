-- Who is logged in to the console. Of a session's id and of a code only the SHA-256 is kept. All times are milliseconds since 1970.
CREATE TABLE admin_sessions (
    hash     TEXT    NOT NULL PRIMARY KEY CHECK (length(hash) = 64 AND hash NOT GLOB '*[^0-9a-f]*'),
    token_id INTEGER NOT NULL REFERENCES admin_tokens (id) ON DELETE CASCADE,
    made_at  INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
    used_at  INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
    ends_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX admin_sessions_token ON admin_sessions (token_id);

-- Codes that log in once, each for a token that nobody has seen.
CREATE TABLE admin_codes (
    hash     TEXT    NOT NULL PRIMARY KEY CHECK (length(hash) = 64 AND hash NOT GLOB '*[^0-9a-f]*'),
    token_id INTEGER NOT NULL REFERENCES admin_tokens (id) ON DELETE CASCADE,
    ends_at  INTEGER NOT NULL
) STRICT;
