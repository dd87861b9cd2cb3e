-- The apps that take broadcasts from a Redis are looked for at every start.
CREATE INDEX apps_with_redis_feed ON apps (id) WHERE jsonb_exists(settings, 'redis_feed');
