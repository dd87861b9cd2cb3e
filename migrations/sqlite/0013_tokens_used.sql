-- When the token or one of its sessions was last used, to the minute. Not set: never.
ALTER TABLE admin_tokens ADD COLUMN used_at INTEGER;
