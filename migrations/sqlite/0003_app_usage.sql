-- What an app has used in an hour on a node. Not tied to the app's row: it is still to be billed when
-- that has gone.
CREATE TABLE app_usage (
    app_id           TEXT    NOT NULL CHECK (length(app_id) BETWEEN 1 AND 32 AND app_id NOT GLOB '*[^0-9]*'),
    -- Hours since 1970.
    hour             INTEGER NOT NULL,
    -- Host name and port.
    node             TEXT    NOT NULL CHECK (length(node) BETWEEN 1 AND 300),
    -- The most connections at once.
    peak_connections INTEGER NOT NULL,
    -- Messages that came: one event to one channel is one.
    backend_messages INTEGER NOT NULL,
    client_messages  INTEGER NOT NULL,
    -- Messages to each of their subscribers, and their bytes.
    deliveries       INTEGER NOT NULL,
    delivered_bytes  INTEGER NOT NULL,
    PRIMARY KEY (app_id, hour, node)
) STRICT;
