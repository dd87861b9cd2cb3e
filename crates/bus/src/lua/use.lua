#!lua flags=allow-oom
-- Adds up what nodes say of an app's messages: of a day, and of the last second (CL-063, CL-064).
-- A node states its numbers absolutely, so that a repeat does no harm. Numbers of a second count for three seconds.
-- KEYS: 1 use:APP:DAY 2 use:APP:rate   ARGV: 1 now (ms; '0' = Redis's clock) 2 node 3 its messages of the day 4 its messages of the last second
--       5 what the messages of the day are counted under: not its id if it knows after a restart what it had counted
-- Reply: {messages of the day, messages of the last second}, of all nodes
local now = tonumber(ARGV[1])
if now == 0 then local t = redis.call('TIME'); now = t[1] * 1000 + math.floor(t[2] / 1000) end
redis.call('HSET', KEYS[1], ARGV[5], ARGV[3])
redis.call('PEXPIRE', KEYS[1], 90000000) -- longer than its day, however early it was said last
redis.call('HSET', KEYS[2], ARGV[2], string.format('%.0f:%s', now, ARGV[4]))
redis.call('PEXPIRE', KEYS[2], 3000)
local day, second = 0, 0
for _, messages in ipairs(redis.call('HVALS', KEYS[1])) do day = day + tonumber(messages) end
local rates = redis.call('HGETALL', KEYS[2])
for i = 1, #rates, 2 do
  local at, messages = rates[i + 1]:match('^(%d+):(%d+)$')
  if now - tonumber(at) < 3000 then second = second + tonumber(messages) else redis.call('HDEL', KEYS[2], rates[i]) end
end
return {day, second}
