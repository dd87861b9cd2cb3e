-- A secret may be sealed with a master key: sealed:1:KEY:NONCE_AND_TEXT, in hex. SQLite cannot change a
-- check, so the table is made anew.
CREATE TABLE app_keys_new (
    key        TEXT    NOT NULL PRIMARY KEY
               CHECK (length(key) BETWEEN 1 AND 128 AND key NOT GLOB '*[^A-Za-z0-9_-]*'),
    app_id     TEXT    NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    secret     TEXT    NOT NULL
               CHECK ((length(secret) BETWEEN 1 AND 128 AND secret NOT GLOB '*[^A-Za-z0-9_-]*')
                      OR (length(secret) BETWEEN 100 AND 354 AND secret GLOB 'sealed:1:????????:*')),
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
    -- Set: the pair is not valid any more.
    revoked_at INTEGER
) STRICT;

INSERT INTO app_keys_new (key, app_id, secret, created_at, revoked_at)
    SELECT key, app_id, secret, created_at, revoked_at FROM app_keys;
DROP TABLE app_keys;
ALTER TABLE app_keys_new RENAME TO app_keys;

CREATE INDEX app_keys_of_app ON app_keys (app_id);
