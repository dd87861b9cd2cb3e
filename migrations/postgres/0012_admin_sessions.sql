-- Who is logged in to the console. Of a session's id and of a code only the SHA-256 is kept. All times are milliseconds since 1970.
CREATE TABLE admin_sessions (
    hash     text   NOT NULL PRIMARY KEY CHECK (hash ~ '^[0-9a-f]{64}$'),
    token_id bigint NOT NULL REFERENCES admin_tokens (id) ON DELETE CASCADE,
    made_at  bigint NOT NULL DEFAULT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS bigint),
    used_at  bigint NOT NULL DEFAULT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS bigint),
    ends_at  bigint NOT NULL
);

CREATE INDEX admin_sessions_token ON admin_sessions (token_id);

-- Codes that log in once, each for a token that nobody has seen.
CREATE TABLE admin_codes (
    hash     text   NOT NULL PRIMARY KEY CHECK (hash ~ '^[0-9a-f]{64}$'),
    token_id bigint NOT NULL REFERENCES admin_tokens (id) ON DELETE CASCADE,
    ends_at  bigint NOT NULL
);
