-- What became of an app's webhooks: requests that were answered with success, attempts that failed, and events
-- that were never delivered.
ALTER TABLE app_usage ADD COLUMN webhook_deliveries     INTEGER NOT NULL DEFAULT 0;
ALTER TABLE app_usage ADD COLUMN webhook_failures       INTEGER NOT NULL DEFAULT 0;
ALTER TABLE app_usage ADD COLUMN webhook_events_dropped INTEGER NOT NULL DEFAULT 0;
