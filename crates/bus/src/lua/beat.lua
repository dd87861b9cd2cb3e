#!lua flags=allow-oom
-- Renews a lease; declares nodes dead whose leases have run out; moves goings that are due to the webhooks' stream.
-- Looks whether a few things are there that the caller has told: if not, keys were deleted or evicted, and a new epoch begins
-- in which all nodes tell everything anew. Not in a young epoch, where they are just doing so.
-- KEYS: 1 live 2 gen 3 epoch 4 dead 5 told 6 due 7 hooks 8 late 9 own:NODE  10.. hashes
-- ARGV: 1 now (ms; '0' = Redis's clock) 2 node 3 generation 4 lease (ms) 5 settling time (ms) 6 PUBLISH | SPUBLISH 7 topic of hooks
--       8.. for each hash a field that must be there, and the row that must be in own:NODE
-- Reply: 'FENCED' | {epoch, age of the epoch in ms, {dead node...}, the sender, its term, {app \0 channel...}};
--        the last are counts whose time has come, and the caller tells them (T): another node gets what is left in a second
local now = tonumber(ARGV[1])
local given = now ~= 0
if not given then local t = redis.call('TIME'); now = t[1] * 1000 + math.floor(t[2] / 1000) end
local fenced = redis.call('HGET', KEYS[2], ARGV[2]) ~= ARGV[3] or not redis.call('ZSCORE', KEYS[1], ARGV[2])
if not fenced then redis.call('ZADD', KEYS[1], now + ARGV[4], ARGV[2]) end
for _, node in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 10)) do
  redis.call('ZREM', KEYS[1], node); redis.call('HDEL', KEYS[2], node); redis.call('SADD', KEYS[4], node)
  if node == ARGV[2] then fenced = true end
end
local age = now - tonumber(redis.call('HGET', KEYS[3], 'born') or now)
if not fenced and age >= tonumber(ARGV[5]) then
  for i = 10, #KEYS do
    local at = 8 + (i - 10) * 2
    if redis.call('HEXISTS', KEYS[i], ARGV[at]) == 0 or redis.call('HEXISTS', KEYS[9], ARGV[at + 1]) == 0 then
      redis.call('HSET', KEYS[3], 'repl', '')
      break
    end
  end
  fenced = redis.call('HGET', KEYS[3], 'repl') == ''
end
if age >= tonumber(ARGV[5]) then
  local hooked = false
  for _, subject in ipairs(redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', now, 'LIMIT', 0, 100)) do
    redis.call('ZREM', KEYS[6], subject)
    if redis.call('HDEL', KEYS[5], subject) == 1 then
      local app, channel, user = subject:match('^(.-)%z(.-)%z(.*)$')
      local id = given and string.format('%.0f-*', now) or '*'
      redis.call('XADD', KEYS[7], 'MAXLEN', '~', 100000, id, 'e', '-', 'a', app, 'c', channel, 'u', user)
      redis.call('PERSIST', KEYS[7]) -- an empty stream expires, see take.lua
      hooked = true
    end
  end
  if hooked then redis.call(ARGV[6], ARGV[7], '') end
end
if fenced then return 'FENCED' end
local owner = redis.call('HGET', KEYS[3], 'owner')
if not owner or not redis.call('ZSCORE', KEYS[1], owner) then
  owner = ARGV[2]; redis.call('HSET', KEYS[3], 'owner', owner)
end
local late = redis.call('ZRANGEBYSCORE', KEYS[8], '-inf', now, 'LIMIT', 0, 100)
for _, channel in ipairs(late) do redis.call('ZADD', KEYS[8], now + 1000, channel) end
return {redis.call('HGET', KEYS[3], 'id') or '', age, redis.call('SMEMBERS', KEYS[4]), owner,
  tonumber(redis.call('HGET', KEYS[3], 'term') or '0'), late}
