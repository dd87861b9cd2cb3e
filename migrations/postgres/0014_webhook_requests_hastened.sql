-- Whether the request was made due at once because its URL had answered: once, so that a request that is always
-- refused keeps its backoff. From here on `bytes` is about what the whole row takes.
ALTER TABLE webhook_requests ADD COLUMN hastened integer NOT NULL DEFAULT 0;
