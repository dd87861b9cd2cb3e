BEGIN TRANSACTION;
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
INSERT INTO "_sqlx_migrations" VALUES(1,'apps','2026-11-30 14:19:45',1,X'DE62AF2A7D8EF7E8D0FF43DCDF74891E815960EB1C4C055504209CA44C0915C81DF7140E2A747A1EDFFC99DF0712E710',527246);
INSERT INTO "_sqlx_migrations" VALUES(2,'app changes','2026-11-30 14:19:45',1,X'537682160B69B21B0BDCC1BC6811E3FFDFBC02BC8D4746BA165DA74D565BF5CDFCC95836F675ABC0F5BA46A9C5FC20AE',1262107);
INSERT INTO "_sqlx_migrations" VALUES(3,'app usage','2026-11-30 14:19:45',1,X'FA48E8163058649596270D93448D8E0C0768F95901E334B617CE22633916588EA72C7117E97FE487276C3248C7231309',249156);
INSERT INTO "_sqlx_migrations" VALUES(4,'admin tokens','2026-11-30 14:19:45',1,X'B8B6F9322CAD5BE4366B9DAA4EC7458911B7FF59EC38D137B2890F48854D0DF428C3A944D25B662EA40958E5E5E9E083',269686);
INSERT INTO "_sqlx_migrations" VALUES(5,'redis feeds','2026-11-30 14:19:45',1,X'52186AE989B9CB9337B4B4C0698D448B6DF593CBCFB0B52B53EE04F9195C16E7AA5834B380171FAFDCE026CA618EE902',167666);
INSERT INTO "_sqlx_migrations" VALUES(6,'webhook deliveries','2026-11-30 14:19:45',1,X'C75D34BF7B72D9A07D73A722365EC01857F07B23902DE4592B9F56388CA34E6070F32808384ECD4E6A409182BB08E22F',1115451);
INSERT INTO "_sqlx_migrations" VALUES(7,'app ids','2026-11-30 14:19:45',1,X'D53A52BE752D22985A9B3B1CDF790295EE1A1954F7FE031B1951E03B993C9FFDD8409CCBF4409E122A3FCA7B47328E7E',3163712);
INSERT INTO "_sqlx_migrations" VALUES(8,'write probe','2026-11-30 14:19:45',1,X'6F7EFF2FE58B9D8059C510D1EAF184DD65A1DDDDA9B0792A4CD34188EF7B81D5506F2D44F33C66513113E4B6E1BDFAF1',246981);
INSERT INTO "_sqlx_migrations" VALUES(9,'webhook requests','2026-11-30 14:19:45',1,X'3A3B97F9CA7183D3270CCA1C54BB4D8AB9C0D39175A3A46DF1D1F8A9CA73C9F24A33885348A50DF07321CED9D4E5634B',302989);
INSERT INTO "_sqlx_migrations" VALUES(10,'bound tokens','2026-11-30 14:19:45',1,X'51AF7BF8F36251CB72B5971181E1A90EFCD244D28C5F077B31AD023E0608DE9D732D88288A2ABB051B688537ABDB2B43',520647);
INSERT INTO "_sqlx_migrations" VALUES(11,'admin audit','2026-11-30 14:19:45',1,X'3FA27F836B83598697A525D39210744F37AC2097F5BB68A9B371EAC1C39BA43CA4E19C241DBFF276D893761F97AE3E2D',411304);
INSERT INTO "_sqlx_migrations" VALUES(12,'admin sessions','2026-11-30 14:19:45',1,X'92B5B38EED489465A7801BBCB0C6EF311A6A243FB58148EC8A7C7852CB801AD275323A9A1D971E22E1EF10005F6E7B04',560601);
CREATE TABLE admin_audit (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    -- Milliseconds since 1970.
    at         INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
    -- Not set: a command on the server's machine, or somebody without a token.
    token_id   INTEGER,
    name       TEXT    NOT NULL,
    address    TEXT,
    app_id     TEXT,
    action     TEXT    NOT NULL,
    -- An object, without secrets and payloads.
    detail     TEXT    NOT NULL CHECK (json_type(detail) = 'object')
) STRICT;
INSERT INTO "admin_audit" VALUES(1,1796048385363,NULL,'command line',NULL,NULL,'token.create','{"token":{"apps":null,"created_at":"2026-11-30T14:19:45Z","expires_at":null,"id":1,"name":"deploy","revoked_at":null,"scopes":["read","write","secrets"]}}');
INSERT INTO "admin_audit" VALUES(2,1796048385411,NULL,'command line',NULL,'1001','app.create','{"name":"shop"}');
INSERT INTO "admin_audit" VALUES(3,1796048385420,1,'deploy','127.0.0.1','1001','key.create','{"key":"658322b4a42640024774"}');
INSERT INTO "admin_audit" VALUES(4,1796048385427,1,'deploy','127.0.0.1','1001','key.revoke','{"key":"14a5fd105f9ea219e606"}');
INSERT INTO "admin_audit" VALUES(5,1796048385435,1,'deploy','127.0.0.1','1001','secret.show','{}');
INSERT INTO "admin_audit" VALUES(6,1796048385484,1,'deploy','127.0.0.1','1001','app.update','{"new":{"settings.webhooks":[{"durable":true,"events":["channel_existence"],"url":"http://receiver.invalid/hook"}]},"old":{"settings.webhooks":null}}');
INSERT INTO "admin_audit" VALUES(7,1796048385507,1,'deploy','127.0.0.1','1001','secret.show','{}');
CREATE TABLE admin_codes (
    hash     TEXT    NOT NULL PRIMARY KEY CHECK (length(hash) = 64 AND hash NOT GLOB '*[^0-9a-f]*'),
    token_id INTEGER NOT NULL REFERENCES admin_tokens (id) ON DELETE CASCADE,
    ends_at  INTEGER NOT NULL
) STRICT;
CREATE TABLE admin_sessions (
    hash     TEXT    NOT NULL PRIMARY KEY CHECK (length(hash) = 64 AND hash NOT GLOB '*[^0-9a-f]*'),
    token_id INTEGER NOT NULL REFERENCES admin_tokens (id) ON DELETE CASCADE,
    made_at  INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
    used_at  INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
    ends_at  INTEGER NOT NULL
) STRICT;
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
, apps TEXT CHECK (apps <> '' AND apps NOT GLOB '*[^A-Za-z0-9_,-]*')) STRICT;
INSERT INTO "admin_tokens" VALUES(1,'deploy','9fe458158afd19bf6c7564b40c07f63f48c7c52182861c22c9a5ce48f1153327','read,write,secrets',1796048385351,NULL,NULL,NULL);
CREATE TABLE "app_keys" (
    key        TEXT    NOT NULL PRIMARY KEY
               CHECK (length(key) BETWEEN 1 AND 128 AND key NOT GLOB '*[^A-Za-z0-9_-]*'),
    app_id     TEXT    NOT NULL REFERENCES "apps" (id) ON DELETE CASCADE,
    secret     TEXT    NOT NULL
               CHECK ((length(secret) BETWEEN 1 AND 128 AND secret NOT GLOB '*[^A-Za-z0-9_-]*')
                      OR (length(secret) BETWEEN 100 AND 354 AND secret GLOB 'sealed:1:????????:*')),
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
    -- Set: the pair is not valid any more.
    revoked_at INTEGER
) STRICT;
INSERT INTO "app_keys" VALUES('b80aeeb5909ac0a2c4db','2152178','60a28a4a89259c99bd6d12ced75ea53eac428890',1796048385237,NULL);
INSERT INTO "app_keys" VALUES('14a5fd105f9ea219e606','1001','ce2c464f1fea6baac044b1486098719e46e88261',1796048385401,1796048385422);
INSERT INTO "app_keys" VALUES('658322b4a42640024774','1001','6073a04c9917e41bae747240e247d63f7ead3fcb',1796048385420,NULL);
CREATE TABLE "app_usage" (
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
INSERT INTO "app_usage" VALUES('1001',498902,'node:33025',2,1,0,2,98,0,10,0);
CREATE TABLE "apps" (
    id         TEXT    NOT NULL PRIMARY KEY
               CHECK (length(id) BETWEEN 1 AND 64 AND id NOT GLOB '*[^A-Za-z0-9_-]*'),
    name       TEXT    NOT NULL DEFAULT '',
    enabled    INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
    -- A JSON object with the names of the configuration file's [[apps.list]].
    settings   TEXT    NOT NULL DEFAULT '{}' CHECK (json_valid(settings)),
    -- Milliseconds since 1970.
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER))
) STRICT;
INSERT INTO "apps" VALUES('2152178','first app',1,'{}',1796048385237);
INSERT INTO "apps" VALUES('1001','shop',1,'{"client_events":true,"webhooks":[{"url":"http://receiver.invalid/hook","events":["channel_existence"],"durable":true}]}',1796048385401);
CREATE TABLE webhook_requests (
    -- In the order in which they were kept.
    id           INTEGER NOT NULL PRIMARY KEY,
    app_id       TEXT    NOT NULL,
    url          TEXT    NOT NULL,
    -- The pair that signs; the secret is not stored here.
    key          TEXT    NOT NULL,
    -- Bytes of the body, and events in it.
    bytes        INTEGER NOT NULL,
    events       INTEGER NOT NULL,
    -- Failed attempts.
    attempts     INTEGER NOT NULL,
    -- The first event.
    happened_at  INTEGER NOT NULL,
    -- The next attempt.
    due_at       INTEGER NOT NULL,
    -- Until then one node alone may send the request: the one that knows the number of the lease.
    leased_until INTEGER NOT NULL DEFAULT 0,
    lease        INTEGER NOT NULL DEFAULT 0,
    -- Sent byte for byte.
    body         BLOB    NOT NULL
) STRICT;
INSERT INTO "webhook_requests" VALUES(1,'1001','http://receiver.invalid/hook','658322b4a42640024774',83,1,6,1796048390537,1796048397199,0,-5477687318250154378,X'7B2274696D655F6D73223A313739363034383339303533362C226576656E7473223A5B7B226E616D65223A226368616E6E656C5F6F63637570696564222C226368616E6E656C223A226B6570742D31227D5D7D');
INSERT INTO "webhook_requests" VALUES(2,'1001','http://receiver.invalid/hook','658322b4a42640024774',82,1,1,1796048394836,1796048394852,0,0,X'7B2274696D655F6D73223A313739363034383339343833352C226576656E7473223A5B7B226E616D65223A226368616E6E656C5F76616361746564222C226368616E6E656C223A226B6570742D31227D5D7D');
INSERT INTO "webhook_requests" VALUES(3,'1001','http://receiver.invalid/hook','658322b4a42640024774',89,1,1,1796048394836,1796048394853,0,0,X'7B2274696D655F6D73223A313739363034383339343833352C226576656E7473223A5B7B226E616D65223A226368616E6E656C5F76616361746564222C226368616E6E656C223A2270726573656E63652D726F6F6D227D5D7D');
INSERT INTO "webhook_requests" VALUES(4,'1001','http://receiver.invalid/hook','658322b4a42640024774',82,1,1,1796048394836,1796048394853,0,0,X'7B2274696D655F6D73223A313739363034383339343833352C226576656E7473223A5B7B226E616D65223A226368616E6E656C5F76616361746564222C226368616E6E656C223A226B6570742D30227D5D7D');
INSERT INTO "webhook_requests" VALUES(5,'1001','http://receiver.invalid/hook','658322b4a42640024774',80,1,1,1796048394836,1796048394853,0,0,X'7B2274696D655F6D73223A313739363034383339343833352C226576656E7473223A5B7B226E616D65223A226368616E6E656C5F76616361746564222C226368616E6E656C223A226E657773227D5D7D');
CREATE TABLE write_probe (
    filler TEXT NOT NULL
) STRICT;
CREATE INDEX app_keys_of_app ON app_keys (app_id);
CREATE INDEX apps_with_redis_feed ON apps (id) WHERE json_type(settings, '$.redis_feed') = 'object';
CREATE INDEX webhook_requests_of_url ON webhook_requests (app_id, url, id, due_at, leased_until, bytes);
CREATE INDEX admin_audit_at ON admin_audit (at);
CREATE INDEX admin_audit_app ON admin_audit (app_id, id);
CREATE INDEX admin_sessions_token ON admin_sessions (token_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('admin_tokens',1);
INSERT INTO "sqlite_sequence" VALUES('admin_audit',7);
COMMIT;
