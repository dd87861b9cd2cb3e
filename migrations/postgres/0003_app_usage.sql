-- What an app has used in an hour on a node. Not tied to the app's row: it is still to be billed when
-- that has gone.
CREATE TABLE app_usage (
    app_id           text   NOT NULL CHECK (app_id ~ '^[0-9]{1,32}$'),
    -- Hours since 1970.
    hour             bigint NOT NULL,
    -- Host name and port.
    node             text   NOT NULL CHECK (length(node) BETWEEN 1 AND 300),
    -- The most connections at once.
    peak_connections bigint NOT NULL,
    -- Messages that came: one event to one channel is one.
    backend_messages bigint NOT NULL,
    client_messages  bigint NOT NULL,
    -- Messages to each of their subscribers, and their bytes.
    deliveries       bigint NOT NULL,
    delivered_bytes  bigint NOT NULL,
    PRIMARY KEY (app_id, hour, node)
);
