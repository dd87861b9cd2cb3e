#!lua flags=allow-oom
-- The sender of webhooks takes what is to be told, up to 250 entries, of windows that are over (an entry's milliseconds are
-- the end of its window): so a window is one unchanging group. The first time the sender gets a term above all others, and
-- then reads in parts what was told before. Which apps were refused more is told with it, and when there is room again.
-- An empty stream expires after a day: its next id may not be lower than one that was taken.
-- KEYS: 1 gen 2 epoch 3 hooks 4 queued 5 refused 6 hooked
-- ARGV: 1 now (ms; '0' = Redis's clock) 2 node 3 generation 4 last id taken, or '' the first time 5 bytes of webhooks that wait, at most
-- Reply: 'FENCED' | the term, the first time | {{{id, {e, sign, a, app, c, channel, u, user}}...}, 1 if there may be more,
--        ms until the next window is over or 0, now, the epoch's beginning, {{app, refused since, kinds}...}};
--        kinds: of webhooks of an app that has room again (e channels, p members, u users online), or '-' while there is none
if redis.call('HGET', KEYS[1], ARGV[2]) ~= ARGV[3] or redis.call('HGET', KEYS[2], 'owner') ~= ARGV[2] then return 'FENCED' end
if ARGV[4] == '' then return redis.call('HINCRBY', KEYS[2], 'term', 1) end
local now = tonumber(ARGV[1])
if now == 0 then local t = redis.call('TIME'); now = t[1] * 1000 + math.floor(t[2] / 1000) end
local entries, more, wait = {}, 0, 0
for i, entry in ipairs(redis.call('XRANGE', KEYS[3], '(' .. ARGV[4], '+', 'COUNT', 251)) do
  local ms = tonumber(entry[1]:match('^%d+'))
  -- Far ahead of this clock is another master's clock: nothing is gained by waiting.
  if ms >= now and ms <= now + 1000 then wait = ms - now + 1; break end
  if i > 250 then more = 1; break end
  entries[i] = entry
end
if #entries == 0 and redis.call('XLEN', KEYS[3]) == 0 then redis.call('PEXPIRE', KEYS[3], 86400000, 'NX') end
local all, refused = redis.call('HGETALL', KEYS[5]), {}
for i = 1, #all, 2 do
  local app, count, kinds = all[i], tonumber(all[i + 1]), '-'
  local mine, sum = unpack(redis.call('HMGET', KEYS[4], app, ''))
  mine, sum = tonumber(mine or '0'), tonumber(sum or '0')
  if mine * 8 < tonumber(ARGV[5]) - (sum - mine) then -- half of what is refused at
    kinds = ''
    for _, kind in ipairs({'e', 'p', 'u'}) do
      if redis.call('SISMEMBER', KEYS[6], kind .. ':' .. app) == 1 then kinds = kinds .. kind end
    end
    redis.call('HDEL', KEYS[5], app)
  elseif count > 0 then
    redis.call('HSET', KEYS[5], app, 0)
  end
  if kinds ~= '-' or count > 0 then refused[#refused + 1] = {app, count, kinds} end
end
local born = tonumber(redis.call('HGET', KEYS[2], 'born') or now)
return {entries, more, wait, now, born, refused}
