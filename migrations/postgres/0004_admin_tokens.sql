-- Who may use the administration API. A token is shown once, when it is made; only its SHA-256 is kept.
CREATE TABLE admin_tokens (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text        NOT NULL,
    hash       text        NOT NULL UNIQUE CHECK (hash ~ '^[0-9a-f]{64}$'),
    -- Some of read, write and secrets, parted by commas.
    scopes     text        NOT NULL CHECK (scopes ~ '^[a-z]+(,[a-z]+)*$'),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Not set: it is valid until it is revoked.
    expires_at timestamptz,
    revoked_at timestamptz
);
