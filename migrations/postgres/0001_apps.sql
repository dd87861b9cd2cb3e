-- An app, and the settings in which it differs from the server's defaults.
CREATE TABLE apps (
    id         text        NOT NULL PRIMARY KEY CHECK (id ~ '^[0-9]{1,32}$'),
    name       text        NOT NULL DEFAULT '',
    enabled    boolean     NOT NULL DEFAULT true,
    -- A JSON object with the names of the configuration file's [[apps.list]].
    settings   jsonb       NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- An app has one pair or more, so that a key can be replaced without a gap.
CREATE TABLE app_keys (
    key        text        NOT NULL PRIMARY KEY CHECK (key ~ '^[A-Za-z0-9_-]{1,128}$'),
    app_id     text        NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    secret     text        NOT NULL CHECK (secret ~ '^[A-Za-z0-9_-]{1,128}$'),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Set: the pair is not valid any more.
    revoked_at timestamptz
);

CREATE INDEX app_keys_of_app ON app_keys (app_id);
