-- An app, and the settings in which it differs from the server's defaults.
CREATE TABLE apps (
    id         TEXT    NOT NULL PRIMARY KEY
               CHECK (length(id) BETWEEN 1 AND 32 AND id NOT GLOB '*[^0-9]*'),
    name       TEXT    NOT NULL DEFAULT '',
    enabled    INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
    -- A JSON object with the names of the configuration file's [[apps.list]].
    settings   TEXT    NOT NULL DEFAULT '{}' CHECK (json_valid(settings)),
    -- Milliseconds since 1970.
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER))
) STRICT;

-- An app has one pair or more, so that a key can be replaced without a gap.
CREATE TABLE app_keys (
    key        TEXT    NOT NULL PRIMARY KEY
               CHECK (length(key) BETWEEN 1 AND 128 AND key NOT GLOB '*[^A-Za-z0-9_-]*'),
    app_id     TEXT    NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    secret     TEXT    NOT NULL
               CHECK (length(secret) BETWEEN 1 AND 128 AND secret NOT GLOB '*[^A-Za-z0-9_-]*'),
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
    -- Set: the pair is not valid any more.
    revoked_at INTEGER
) STRICT;

CREATE INDEX app_keys_of_app ON app_keys (app_id);
