-- Ids of apps may hold letters, and be longer, as those of a UUID do. SQLite cannot change a check, so the tables
-- are made anew. The pairs go first, for a table of apps that is dropped would take its pairs along.
CREATE TABLE apps_new (
    id         TEXT    NOT NULL PRIMARY KEY
               CHECK (length(id) BETWEEN 1 AND 64 AND id NOT GLOB '*[^A-Za-z0-9_-]*'),
    name       TEXT    NOT NULL DEFAULT '',
    enabled    INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
    -- A JSON object with the names of the configuration file's [[apps.list]].
    settings   TEXT    NOT NULL DEFAULT '{}' CHECK (json_valid(settings)),
    -- Milliseconds since 1970.
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER))
) STRICT;
INSERT INTO apps_new (id, name, enabled, settings, created_at)
    SELECT id, name, enabled, settings, created_at FROM apps;

CREATE TABLE app_keys_new (
    key        TEXT    NOT NULL PRIMARY KEY
               CHECK (length(key) BETWEEN 1 AND 128 AND key NOT GLOB '*[^A-Za-z0-9_-]*'),
    app_id     TEXT    NOT NULL REFERENCES apps_new (id) ON DELETE CASCADE,
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
DROP TABLE apps;
-- The reference to the apps is renamed with them.
ALTER TABLE apps_new RENAME TO apps;
ALTER TABLE app_keys_new RENAME TO app_keys;
CREATE INDEX app_keys_of_app ON app_keys (app_id);
CREATE INDEX apps_with_redis_feed ON apps (id) WHERE json_type(settings, '$.redis_feed') = 'object';

CREATE TABLE app_usage_new (
    app_id                 TEXT    NOT NULL
                           CHECK (length(app_id) BETWEEN 1 AND 64 AND app_id NOT GLOB '*[^A-Za-z0-9_-]*'),
    -- Hours since 1970.
    hour                   INTEGER NOT NULL,
    -- Host name and port.
    node                   TEXT    NOT NULL CHECK (length(node) BETWEEN 1 AND 300),
    -- The most connections at once.
    peak_connections       INTEGER NOT NULL,
    -- Messages that came: one event to one channel is one.
    backend_messages       INTEGER NOT NULL,
    client_messages        INTEGER NOT NULL,
    -- Messages to each of their subscribers, and their bytes.
    deliveries             INTEGER NOT NULL,
    delivered_bytes        INTEGER NOT NULL,
    -- Requests of webhooks that were answered with success, attempts that failed, events that were never delivered.
    webhook_deliveries     INTEGER NOT NULL DEFAULT 0,
    webhook_failures       INTEGER NOT NULL DEFAULT 0,
    webhook_events_dropped INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (app_id, hour, node)
) STRICT;
INSERT INTO app_usage_new (app_id, hour, node, peak_connections, backend_messages, client_messages, deliveries,
                           delivered_bytes, webhook_deliveries, webhook_failures, webhook_events_dropped)
    SELECT app_id, hour, node, peak_connections, backend_messages, client_messages, deliveries,
           delivered_bytes, webhook_deliveries, webhook_failures, webhook_events_dropped FROM app_usage;
DROP TABLE app_usage;
ALTER TABLE app_usage_new RENAME TO app_usage;
