#!lua flags=allow-oom
-- Publishes an event of a cache channel and keeps it, in one step, under the topic's next version: the same order for everybody.
-- The version, 14 hexadecimal digits, comes first in what is published and kept. It has no time to live, and begins with
-- the microseconds of Redis: a version never comes twice, nor a lower one when Redis has lost its data. A full Redis publishes and keeps as well: an event may not fail because it is kept.
-- KEYS: 1 cache:APP:CHANNEL 2 miss:APP:CHANNEL, the mark of who missed it 3 ver:APP
-- ARGV: 1 PUBLISH | SPUBLISH 2 topic 3 message 4 time to live (ms)   Reply: 1
local version = redis.call('INCR', KEYS[3])
if version == 1 then
  local time = redis.call('TIME')
  version = time[1] * 1000000 + time[2]
  redis.call('SET', KEYS[3], ('%.0f'):format(version))
end
local message = ('%014x'):format(version) .. ARGV[3]
redis.call(ARGV[1], ARGV[2], message)
redis.call('SET', KEYS[1], message, 'PX', ARGV[4])
redis.call('DEL', KEYS[2])
return 1
