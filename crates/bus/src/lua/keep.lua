-- Publishes an event of a cache channel and keeps it, in one step, under the topic's next version: the same order for everybody.
-- No flags: a full Redis refuses the first write that needs memory. Then the event is published all the same, under version 0,
-- and nothing is kept of the channel: what was kept before is not the last event any more (CL-106).
-- The version, 14 hexadecimal digits, comes first in what is published and kept. The first one is the microseconds of Redis: a
-- version never comes twice, nor a lower one when Redis has lost its data, nor when the key has expired. The key lives for a day
-- from every sixteenth use, which is long enough: the clock has gone on by more than events have.
-- What an app keeps in a partition has a bound in bytes; over it the oldest go, but never the newest (CL-040).
-- KEYS: 1 cache:APP:CHANNEL 2 miss:APP:CHANNEL, the mark of who missed it 3 ver:APP
--       4 kept:APP, the kept events (names of their keys) by their ends 5 sizes:APP, their bytes, and the sum under ''
-- A contract with whoever runs this script: keys of events that go are not in KEYS. Their names are in KEYS 4, begin with the
-- same prefix and the same tag in braces as KEYS, and so lie in the same slot of a Cluster and under the same rule of an ACL.
-- ARGV: 1 PUBLISH | SPUBLISH 2 topic 3 message 4 time to live (ms) 5 bound (bytes)   Reply: 1 | 0, published and not kept
local t = redis.call('TIME')
local version, lives = redis.pcall('INCR', KEYS[3]), tonumber(ARGV[4])
local is_full = type(version) == 'table'
if is_full then
  if not version.err:find('OOM') then return version end
  version = 0
elseif version == 1 then
  version = t[1] * 1000000 + t[2]
  redis.call('SET', KEYS[3], ('%.0f'):format(version), 'PX', 86400000)
elseif version % 16 == 0 then
  redis.call('PEXPIRE', KEYS[3], 86400000)
end
local message = ('%014x'):format(version) .. ARGV[3]
redis.call(ARGV[1], ARGV[2], message)
local all, own = unpack(redis.call('HMGET', KEYS[5], '', KEYS[1]))
all, own = tonumber(all or '0'), tonumber(own or '0')
local sum = all - own
local function forget(key)
  sum = sum - tonumber(redis.call('HGET', KEYS[5], key) or '0')
  redis.call('ZREM', KEYS[4], key); redis.call('HDEL', KEYS[5], key)
end
if is_full then
  redis.call('UNLINK', KEYS[1])
  redis.call('ZREM', KEYS[4], KEYS[1])
  if redis.call('HDEL', KEYS[5], KEYS[1]) == 1 then redis.call('HSET', KEYS[5], '', ('%.0f'):format(sum)) end
  return 0
end
redis.call('SET', KEYS[1], message, 'PX', lives)
redis.call('DEL', KEYS[2])
local now = t[1] * 1000 + math.floor(t[2] / 1000)
-- Seldom, and so many that they are fewer afterwards: what has ended is also the first to go when there is too much.
if version % 8 == 0 then
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now, 'LIMIT', 0, 40)) do
    if key ~= KEYS[1] then forget(key) end
  end
end
local size = #message + 2 * #KEYS[1] + 256 -- about what Redis needs for it
sum = sum + size
redis.call('ZADD', KEYS[4], now + lives, KEYS[1])
for _ = 1, 100 do
  if sum <= tonumber(ARGV[5]) then break end
  local oldest, second = unpack(redis.call('ZRANGE', KEYS[4], 0, 1))
  if oldest == KEYS[1] then oldest = second end
  if not oldest then break end
  redis.pcall('UNLINK', oldest)
  forget(oldest)
end
if size ~= own or sum ~= all then redis.call('HSET', KEYS[5], KEYS[1], size, '', ('%.0f'):format(sum)) end
if redis.call('PTTL', KEYS[4]) < lives then
  redis.call('PEXPIRE', KEYS[4], lives + 60000); redis.call('PEXPIRE', KEYS[5], lives + 60000)
end
return 1
