-- Every change of an app is told to all nodes, whoever makes it, when it is committed.
CREATE FUNCTION fanfare_app_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM pg_notify('fanfare_apps', CASE TG_TABLE_NAME WHEN 'apps' THEN to_jsonb(OLD) ->> 'id'
                                                             ELSE to_jsonb(OLD) ->> 'app_id' END);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM pg_notify('fanfare_apps', CASE TG_TABLE_NAME WHEN 'apps' THEN to_jsonb(NEW) ->> 'id'
                                                             ELSE to_jsonb(NEW) ->> 'app_id' END);
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER app_changed AFTER INSERT OR UPDATE OR DELETE ON apps
    FOR EACH ROW EXECUTE FUNCTION fanfare_app_changed();

CREATE TRIGGER app_key_changed AFTER INSERT OR UPDATE OR DELETE ON app_keys
    FOR EACH ROW EXECUTE FUNCTION fanfare_app_changed();

-- A secret may be sealed with a master key: sealed:1:KEY:NONCE_AND_TEXT, in hex.
ALTER TABLE app_keys DROP CONSTRAINT app_keys_secret_check;
ALTER TABLE app_keys ADD CONSTRAINT app_keys_secret_check
    CHECK (secret ~ '^[A-Za-z0-9_-]{1,128}$'
           OR (length(secret) BETWEEN 100 AND 354 AND secret ~ '^sealed:1:[0-9a-f]{8}:[0-9a-f]+$'));
