-- Ids of apps may hold letters, and be longer, as those of a UUID do.
ALTER TABLE apps DROP CONSTRAINT apps_id_check;
ALTER TABLE apps ADD CONSTRAINT apps_id_check CHECK (id ~ '^[A-Za-z0-9_-]{1,64}$');
ALTER TABLE app_usage DROP CONSTRAINT app_usage_app_id_check;
ALTER TABLE app_usage ADD CONSTRAINT app_usage_app_id_check CHECK (app_id ~ '^[A-Za-z0-9_-]{1,64}$');
