#!lua flags=allow-oom
-- Renews a lease; declares nodes dead whose leases have run out; moves goings that are due to the webhooks' stream.
-- Looks whether a few things are there that the caller has told: if not, keys were deleted or evicted, and a new epoch begins
-- in which all nodes tell everything anew. Not in a young epoch, where they are just doing so.
-- KEYS: 1 live 2 gen 3 epoch 4 dead 5 told 6 due 7 hooks 8 late 9 queued 10 own:NODE  11.. hashes
-- ARGV: 1 now (ms; '0' = Redis's clock) 2 node 3 generation 4 lease (ms) 5 settling time (ms) 6 PUBLISH | SPUBLISH 7 topic of hooks
--       8 window of a batch of webhooks (ms) 9 most goings in one call
--       10.. for each hash a field that must be there, and the row that must be in own:NODE
-- Reply: 'FENCED' | {epoch, age of the epoch in ms, {dead node...}, the sender, its term, {app \0 channel...}, 1 if more is due now};
--        the channels are counts whose time has come, and the caller tells them (T): another node gets what is left in a second
local now = tonumber(ARGV[1])
if now == 0 then local t = redis.call('TIME'); now = t[1] * 1000 + math.floor(t[2] / 1000) end
-- All leases ran out together: Redis was away, and nobody is judged before everybody had time to renew.
if redis.call('ZCOUNT', KEYS[1], '(' .. now, '+inf') == 0 then
  for _, other in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    redis.call('ZADD', KEYS[1], now + math.floor(ARGV[4] / 2), other)
  end
end
local fenced = redis.call('HGET', KEYS[2], ARGV[2]) ~= ARGV[3] or not redis.call('ZSCORE', KEYS[1], ARGV[2])
if not fenced then redis.call('ZADD', KEYS[1], now + ARGV[4], ARGV[2]) end
for _, node in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 10)) do
  redis.call('ZREM', KEYS[1], node); redis.call('HDEL', KEYS[2], node); redis.call('SADD', KEYS[4], node)
  if node == ARGV[2] then fenced = true end
end
local age = now - tonumber(redis.call('HGET', KEYS[3], 'born') or now)
local marked = false
if not fenced and age >= tonumber(ARGV[5]) then
  for i = 11, #KEYS do
    local at = 10 + (i - 11) * 2
    if redis.call('HEXISTS', KEYS[i], ARGV[at]) == 0 or redis.call('HEXISTS', KEYS[10], ARGV[at + 1]) == 0 then
      redis.call('HSET', KEYS[3], 'repl', '')
      break
    end
  end
  marked = redis.call('HGET', KEYS[3], 'repl') == ''
end
local more = 0
local function hook(app, channel, user)
  local window = tonumber(ARGV[8])
  local id = string.format('%.0f-*', (math.floor(now / window) + 1) * window) -- see apply.lua
  local added = redis.pcall('XADD', KEYS[7], id, 'e', '-', 'a', app, 'c', channel, 'u', user)
  if type(added) == 'table' then redis.call('XADD', KEYS[7], '*', 'e', '-', 'a', app, 'c', channel, 'u', user) end
end
if age >= tonumber(ARGV[5]) and not marked then
  local due = redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', now, 'LIMIT', 0, ARGV[9])
  local sizes, sum = {}, 0
  for _, subject in ipairs(due) do
    if redis.call('HDEL', KEYS[5], subject) == 1 then
      local app, channel, user = subject:match('^(.-)%z(.-)%z(.*)$')
      hook(app, channel, user)
      local size = #app + #channel + #user + 128
      sizes[app], sum = (sizes[app] or 0) + size, sum + size
    end
  end
  if #due > 0 then redis.call('ZREM', KEYS[6], unpack(due)) end
  if #due == tonumber(ARGV[9]) then more = 1 end
  if sum > 0 then
    for app, size in pairs(sizes) do redis.call('HINCRBY', KEYS[9], app, size) end
    redis.call('HINCRBY', KEYS[9], '', sum)
    redis.call('PERSIST', KEYS[7]) -- an empty stream expires, see take.lua
    redis.call(ARGV[6], ARGV[7], '')
  end
end
if fenced or marked then return 'FENCED' end
local owner = redis.call('HGET', KEYS[3], 'owner')
if not owner or not redis.call('ZSCORE', KEYS[1], owner) then
  owner = ARGV[2]; redis.call('HSET', KEYS[3], 'owner', owner)
end
local late = redis.call('ZRANGEBYSCORE', KEYS[8], '-inf', now, 'LIMIT', 0, 100)
if #late == 100 then more = 1 end
for _, channel in ipairs(late) do redis.call('ZADD', KEYS[8], now + 1000, channel) end
return {redis.call('HGET', KEYS[3], 'id') or '', age, redis.call('SMEMBERS', KEYS[4]), owner,
  tonumber(redis.call('HGET', KEYS[3], 'term') or '0'), late, more}
