-- Requests of durable webhooks that were not delivered at the first attempt. Not tied to the app's row: the
-- configuration's apps have none. All times are milliseconds since 1970 by this database's clock.
CREATE TABLE webhook_requests (
    -- In the order in which they were kept.
    id           bigint  NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    app_id       text    NOT NULL,
    url          text    NOT NULL,
    -- The pair that signs; the secret is not stored here.
    key          text    NOT NULL,
    -- Bytes of the body, and events in it.
    bytes        integer NOT NULL,
    events       integer NOT NULL,
    -- Failed attempts.
    attempts     integer NOT NULL,
    -- The first event.
    happened_at  bigint  NOT NULL,
    -- The next attempt.
    due_at       bigint  NOT NULL,
    -- Until then one node alone may send the request: the one that knows the number of the lease.
    leased_until bigint  NOT NULL DEFAULT 0,
    lease        bigint  NOT NULL DEFAULT 0,
    -- Sent byte for byte.
    body         bytea   NOT NULL
);

CREATE INDEX webhook_requests_of_url ON webhook_requests (app_id, url, id, due_at, leased_until, bytes);
