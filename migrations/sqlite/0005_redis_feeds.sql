-- The apps that take broadcasts from a Redis are looked for at every start, and after every change.
CREATE INDEX apps_with_redis_feed ON apps (id) WHERE json_type(settings, '$.redis_feed') = 'object';
