-- Requests of durable webhooks that were not delivered at the first attempt. Not tied to the app's row: the
-- configuration's apps have none. All times are milliseconds since 1970 by this database's clock.
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

CREATE INDEX webhook_requests_of_url ON webhook_requests (app_id, url, id, due_at, leased_until, bytes);
