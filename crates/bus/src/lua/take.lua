#!lua flags=allow-oom
-- The sender of webhooks takes what is to be told, up to 100 entries, of milliseconds that are over: so a millisecond is one
-- unchanging group. The first time it gets a term above all others, and then reads in parts what was told before.
-- An empty stream expires after a day: its next id may not be lower than one that was taken.
-- KEYS: 1 gen 2 epoch 3 hooks   ARGV: 1 now (ms; '0' = Redis's clock) 2 node 3 generation 4 last id taken, or '' the first time
-- Reply: 'FENCED' | the term, the first time | {{{id, {e, sign, a, app, c, channel, u, user}}...}, 1 if there may be more}
if redis.call('HGET', KEYS[1], ARGV[2]) ~= ARGV[3] or redis.call('HGET', KEYS[2], 'owner') ~= ARGV[2] then return 'FENCED' end
if ARGV[4] == '' then return redis.call('HINCRBY', KEYS[2], 'term', 1) end
local now = tonumber(ARGV[1])
if now == 0 then local t = redis.call('TIME'); now = t[1] * 1000 + math.floor(t[2] / 1000) end
local entries, more = {}, 0
for i, entry in ipairs(redis.call('XRANGE', KEYS[3], '(' .. ARGV[4], '+', 'COUNT', 101)) do
  local ms = tonumber(entry[1]:match('^%d+'))
  -- Far ahead of this clock is another master's clock: nothing is gained by waiting.
  if ms >= now and ms <= now + 1000 then break end
  if i > 100 then more = 1; break end
  entries[i] = entry
end
if #entries == 0 and redis.call('XLEN', KEYS[3]) == 0 then redis.call('PEXPIRE', KEYS[3], 86400000, 'NX') end
return {entries, more}
