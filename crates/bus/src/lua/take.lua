#!lua flags=allow-oom
-- The sender of webhooks takes what is to be told, up to 100 entries; the first time all of them, what was told before,
-- and a term above all others. Later only milliseconds that are over, so that a millisecond is one unchanging group.
-- KEYS: 1 gen 2 epoch 3 told 4 hooks   ARGV: 1 now (ms; '0' = Redis's clock) 2 node 3 generation 4 last id taken, or '' the first time
-- Reply: 'FENCED' | {{{id, {e, sign, a, app, c, channel, u, user}}...}, {subject...} or false, term, 1 if there may be more}
if redis.call('HGET', KEYS[1], ARGV[2]) ~= ARGV[3] or redis.call('HGET', KEYS[2], 'owner') ~= ARGV[2] then return 'FENCED' end
if ARGV[4] == '' then
  return {redis.call('XRANGE', KEYS[4], '-', '+'), redis.call('HKEYS', KEYS[3]), redis.call('HINCRBY', KEYS[2], 'term', 1), 1}
end
local now = tonumber(ARGV[1])
if now == 0 then local t = redis.call('TIME'); now = t[1] * 1000 + math.floor(t[2] / 1000) end
local entries, more = {}, 0
for i, entry in ipairs(redis.call('XRANGE', KEYS[4], '(' .. ARGV[4], '+', 'COUNT', 101)) do
  local ms = tonumber(entry[1]:match('^%d+'))
  -- Far ahead of this clock is another master's clock: nothing is gained by waiting.
  if ms >= now and ms <= now + 1000 then break end
  if i > 100 then more = 1; break end
  entries[i] = entry
end
return {entries, false, 0, more}
