-- What operators have changed, sent, closed and looked at, and who tried to get in. Rows are deleted by age, and refused logins when
-- they are too many.
CREATE TABLE admin_audit (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Not set: a command on the server's machine, or somebody without a token.
    token_id   bigint,
    name       text        NOT NULL,
    address    text,
    app_id     text,
    action     text        NOT NULL,
    -- An object, without secrets and payloads.
    detail     jsonb       NOT NULL CHECK (jsonb_typeof(detail) = 'object')
);

CREATE INDEX admin_audit_at ON admin_audit (at);
CREATE INDEX admin_audit_app ON admin_audit (app_id, id);
