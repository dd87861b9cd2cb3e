-- Who may use the administration API. A token is shown once, when it is made; only its SHA-256 is kept.
CREATE TABLE admin_tokens (
    -- Without AUTOINCREMENT the number of a row that was deleted by hand would be given away again.
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    name       TEXT    NOT NULL,
    hash       TEXT    NOT NULL UNIQUE CHECK (length(hash) = 64 AND hash NOT GLOB '*[^0-9a-f]*'),
    -- Some of read, write and secrets, parted by commas.
    scopes     TEXT    NOT NULL CHECK (scopes <> '' AND scopes NOT GLOB '*[^a-z,]*'),
    -- Milliseconds since 1970.
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
    -- Not set: it is valid until it is revoked.
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT;
