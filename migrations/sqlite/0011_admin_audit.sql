-- What operators have changed, sent, closed and looked at, and who tried to get in. Rows are deleted by age, and refused logins when
-- they are too many.
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

CREATE INDEX admin_audit_at ON admin_audit (at);
CREATE INDEX admin_audit_app ON admin_audit (app_id, id);
