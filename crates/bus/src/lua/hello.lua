#!lua flags=allow-oom
-- A node takes its lease anew, with a generation of its own counting; whatever it sent before is refused from now on.
-- KEYS: 1 live 2 gen 3 epoch 4 dead 5 due 6 adopted 7 late
-- ARGV: 1 now (ms; '0' = Redis's clock) 2 node 3 generation 4 lease (ms) 5 id of the master's data ('' = Redis's own) 6 a fresh epoch id
-- The id is that of this moment: it changes under standing connections, for one when the first replica comes.
-- Reply: {epoch, age of the epoch in ms}
local now = tonumber(ARGV[1])
if now == 0 then local t = redis.call('TIME'); now = t[1] * 1000 + math.floor(t[2] / 1000) end
local data = ARGV[5]
if data == '' then
  local info = redis.call('INFO', 'server', 'replication')
  data = (info:match('run_id:(%w+)') or '') .. ':' .. (info:match('master_replid:(%w+)') or '')
end
local before = redis.call('HGET', KEYS[3], 'repl')
if before ~= data then
  -- '' of one who has found that keys are gone: until the epoch has settled, what rows add up to is counted anew (apply.lua).
  redis.call('HSET', KEYS[3], 'lost', before == '' and 1 or 0, 'repl', data, 'id', ARGV[6], 'born', string.format('%.0f', now))
  redis.call('HDEL', KEYS[3], 'owner')
  redis.call('UNLINK', KEYS[5], KEYS[6])
  -- Numbers that are to be told wait for no time of that clock.
  for _, channel in ipairs(redis.call('ZRANGE', KEYS[7], 0, -1)) do redis.call('ZADD', KEYS[7], now, channel) end
  -- Another clock, perhaps: nobody's lease is judged by it before everybody had time to renew.
  for _, other in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZADD', KEYS[1], now + ARGV[4], other) end
end
-- All leases ran out together: Redis was away, and nobody is judged before everybody had time to renew.
if redis.call('ZCOUNT', KEYS[1], '(' .. now, '+inf') == 0 then
  for _, other in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    redis.call('ZADD', KEYS[1], now + math.floor(ARGV[4] / 2), other)
  end
end
redis.call('SREM', KEYS[4], ARGV[2])
redis.call('ZADD', KEYS[1], now + ARGV[4], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
return {redis.call('HGET', KEYS[3], 'id'), now - tonumber(redis.call('HGET', KEYS[3], 'born'))}
