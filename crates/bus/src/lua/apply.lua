-- Applies a batch of one node's operations on one topic (app, partition), in order, atomically.
-- No flags: on a full Redis the script fails at its first write that needs memory; one that has written goes on. So a
-- batch that begins with leaves is applied, and a batch that begins with a join is not applied at all.
-- KEYS: 1 live  2 gen  3 epoch  4 own:NODE  5 dead  6 seq:APP  7 totals:APP  8 told  9 due  10 hooks  11 counted:APP
--       12 hooked  13 late  14 adopted  15 queued  16 refused  17.. one roster for each operation
-- ARGV: 1 now (ms; '0' = Redis's clock)  2 node  3 generation, or 'reap'  4 PUBLISH | SPUBLISH  5 topic  6 topic of hooks
--       7 'delay:settling:window:most': of webhooks, of an epoch, of a batch of webhooks (ms); bytes of webhooks that wait  8 app  9.. five for each operation: kind channel user info flags
-- Kinds: J join (the info of a user's hidden channel is since when the user is online: the earliest stays), L leave, X leave if of an older generation, S roster, C count (user = how many),
--        Y a count of an older generation goes, T tells the count if its time has come,
--        I webhooks: somebody is there and was not told of; H webhooks: was told of, perhaps is no more;
--        K webhooks: everybody who is there counts as told
-- Flags: digits = most users (0 = any); p = webhooks want members (of a user's hidden channel: whether the user is online); e = webhooks want channels;
--        counts are told o = never, c = up to 100 at once, above every 5 s, a = always, s = as was said last
-- Reply: 'FENCED' | {epoch, age of the epoch in ms, {status, seq, extra}...}; status: ok, none, full, told (a count);
--        extra: of C and T the total, of S the roster as user, 'nodes:info' ..., or -1 if it has over 1,000 users
local now = tonumber(ARGV[1])
local given = now ~= 0
if not given then local t = redis.call('TIME'); now = t[1] * 1000 + math.floor(t[2] / 1000) end
local node, gen, app = ARGV[2], ARGV[3], ARGV[8]
if gen == 'reap' then
  if redis.call('SISMEMBER', KEYS[5], node) == 0 then return 'FENCED' end
elseif redis.call('HGET', KEYS[2], node) ~= gen or not redis.call('ZSCORE', KEYS[1], node) then
  return 'FENCED'
end
local epoch = redis.call('HGET', KEYS[3], 'id') or ''
local born = tonumber(redis.call('HGET', KEYS[3], 'born') or '0')
local delay, settling, window, most_bytes = ARGV[7]:match('^(%d+):(%d+):(%d+):(%d+)$')
delay, settling, window, most_bytes = tonumber(delay), tonumber(settling), tonumber(window), tonumber(most_bytes)
local young = now - born < settling
-- Rows that add up to less than the node had told: keys were deleted or evicted. The next beats begin a new epoch (beat.lua),
-- in which every node tells its rows anew, and what they add up to is counted over the rows of all nodes.
local function lose() if not young then redis.call('HSET', KEYS[3], 'repl', '') end end
local lost = young and redis.call('HGET', KEYS[3], 'lost') == '1'
local nodes_with_rows
local function rows_of_all(row)
  if not nodes_with_rows then
    nodes_with_rows = redis.call('SMEMBERS', KEYS[5])
    for _, other in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do table.insert(nodes_with_rows, other) end
  end
  local number, sum = 0, 0
  for _, other in ipairs(nodes_with_rows) do
    -- Not in KEYS, but in the same slot.
    local tag = redis.call('HGET', KEYS[4]:sub(1, -#node - 1) .. other, row)
    if tag then number, sum = number + 1, sum + tonumber(tag:match('%d+$')) end
  end
  return number, sum
end
local seq, hooked
local function tell(kind, channel, user, info)
  seq = redis.call('INCR', KEYS[6])
  redis.call(ARGV[4], ARGV[5], cmsgpack.pack({1, epoch, seq, kind, channel, user, info}))
end
-- The bytes of webhooks that wait: of this app, and of all. An app may have a quarter of what others leave free.
local mine, all
local function has_room()
  if not mine then
    local own, sum = unpack(redis.call('HMGET', KEYS[15], app, ''))
    mine, all = tonumber(own or '0'), tonumber(sum or '0')
  end
  return mine * 4 < most_bytes - (all - mine)
end
-- The id of an entry is the end of the window that the entry belongs to, so that a window of one app is one unchanging
-- group. Behind a last entry with a greater id, of a clock or a window of before, the entry joins that one's group.
local function hook(what, channel, user)
  local id = string.format('%.0f-*', (math.floor(now / window) + 1) * window)
  local added = redis.pcall('XADD', KEYS[10], id, 'e', what, 'a', app, 'c', channel, 'u', user)
  if type(added) == 'table' then redis.call('XADD', KEYS[10], '*', 'e', what, 'a', app, 'c', channel, 'u', user) end
  local size = #app + #channel + #user + 128 -- about what Redis needs for it; the same in beat.lua and sent.lua
  mine, all = mine + size, all + size
  hooked = true
end
local function subject(channel, user) return app .. '\0' .. channel .. '\0' .. user end
local function is_of_user(channel) return channel:sub(1, 8) == '#online-' end
local function kind_of(channel, user)
  if is_of_user(channel) then return 'u:' .. app end
  return (user == '' and 'e:' or 'p:') .. app
end
-- Whoever reconciles webhooks looks through the apps that are marked. The marks go with the app's last channel.
local function mark(channel, user) redis.call('SADD', KEYS[12], kind_of(channel, user)) end
local function unmark()
  if redis.call('EXISTS', KEYS[7]) == 0 then redis.call('SREM', KEYS[12], 'e:' .. app, 'p:' .. app, 'u:' .. app) end
end
-- What webhooks are told of. Not in a young epoch, where nobody knows yet what was told before (see I and H).
-- Without room, a coming is not told, and so its going is not: they alternate all the same. The app is marked, and the
-- sender looks for who is there as soon as there is room. Goings are never refused: no more go than were told to have come.
local function came(channel, user, wanted, is_again)
  if wanted then mark(channel, user) end
  if young or redis.call('ZREM', KEYS[9], subject(channel, user)) == 1 or not wanted then return end
  if has_room() then
    if redis.call('HSETNX', KEYS[8], subject(channel, user), 1) == 1 then hook('+', channel, user) end
  elseif redis.call('HEXISTS', KEYS[8], subject(channel, user)) == 0 then
    redis.call('HINCRBY', KEYS[16], app, is_again and 0 or 1)
  end
end
local function went(channel, user)
  if not young and redis.call('HEXISTS', KEYS[8], subject(channel, user)) == 1 then
    redis.call('ZADD', KEYS[9], 'NX', now + delay, subject(channel, user))
  end
end
-- In a young epoch a former sender may still say what was told before, in place of what is here (told.lua).
local function adopt(channel, user)
  redis.call('ZREM', KEYS[9], subject(channel, user))
  redis.call('HSET', KEYS[8], subject(channel, user), 1)
  mark(channel, user)
  if young then
    redis.call('HSET', KEYS[14], subject(channel, user), 1)
    redis.call('PEXPIRE', KEYS[14], settling)
  end
end
-- Tells the number of subscriptions, or notes when it is to be told: the last change is always told.
local function number(channel, total, rule)
  local stored = redis.call('HGET', KEYS[11], channel)
  if rule == 's' then rule = stored and stored:match('%a$') or 'o' end
  if rule == 'o' then
    if stored then redis.call('HDEL', KEYS[11], channel); redis.call('ZREM', KEYS[13], app .. '\0' .. channel) end
    return 'ok'
  end
  local at, last = (stored or '0:0:'):match('^(%d+):(%d+):')
  at = tonumber(at)
  if tonumber(last) == total then
    redis.call('ZREM', KEYS[13], app .. '\0' .. channel)
    return 'ok'
  end
  -- A time ahead of this clock is of another master's.
  if rule == 'c' and total > 100 and now - at < 5000 and at <= now then
    redis.call('ZADD', KEYS[13], 'NX', at + 5000, app .. '\0' .. channel)
    return 'ok'
  end
  if total == 0 then
    redis.call('HDEL', KEYS[11], channel)
  else
    redis.call('HSET', KEYS[11], channel, string.format('%.0f:%.0f:%s', now, total, rule))
  end
  redis.call('ZREM', KEYS[13], app .. '\0' .. channel)
  tell('N', channel, string.format('%.0f', total), '')
  return 'told'
end
local function count(channel, k, wanted, members_wanted, rule)
  local row = 'C\0' .. app .. '\0' .. channel
  local before = tonumber((redis.call('HGET', KEYS[4], row) or '0'):match('%d+$'))
  if k == 0 then redis.call('HDEL', KEYS[4], row) else redis.call('HSET', KEYS[4], row, gen .. ':' .. k) end
  local total = tonumber(redis.call('HGET', KEYS[7], channel) or '0')
  local after
  if total < before then lose() end
  if lost then
    local _, sum = rows_of_all(row)
    after = sum
    redis.call('HSET', KEYS[7], channel, after)
    if wanted then mark(channel, '') end
    if members_wanted then mark(channel, 'any') end
  else
    if k == before then return 'ok', total end
    after = redis.call('HINCRBY', KEYS[7], channel, k - before)
  end
  if after <= 0 then redis.call('HDEL', KEYS[7], channel); after = 0; unmark() end
  if total == 0 then
    came(channel, '', wanted)
    if members_wanted then mark(channel, 'any') end -- a user may have been said before the channel
  elseif after == 0 then went(channel, '') end
  return number(channel, after, rule), after
end
local function leave(roster, row, channel, user)
  if redis.call('HDEL', KEYS[4], row) == 0 then return 'none' end
  local was = redis.call('HGET', roster, user)
  if not was then lose(); return 'none' end
  local nodes, info = was:match('^(%d+):(.*)$')
  if nodes == '1' then
    redis.call('HDEL', roster, user); tell('R', channel, user, ''); went(channel, user)
  else
    redis.call('HSET', roster, user, (nodes - 1) .. ':' .. info)
  end
  return 'ok'
end
local out = {epoch, now - born}
for i = 1, (#ARGV - 8) / 5 do
  local a = 8 + (i - 1) * 5
  local kind, channel, user, info, flags = ARGV[a+1], ARGV[a+2], ARGV[a+3], ARGV[a+4], ARGV[a+5]
  local roster, row = KEYS[16 + i], 'M\0' .. app .. '\0' .. channel .. '\0' .. user
  local existence, presence = flags:find('e', 1, true) ~= nil, flags:find('p', 1, true) ~= nil
  local rule = flags:match('[ocas]') or 'o'
  local status, extra = 'ok', nil
  if kind == 'J' then
    local was = redis.call('HGET', roster, user)
    local nodes, old = (was or '0:'):match('^(%d+):(.*)$')
    if is_of_user(channel) and tonumber(old) and tonumber(old) < (tonumber(info) or math.huge) then info = old end
    local mine = redis.call('HGET', KEYS[4], row)
    local most = tonumber(flags:match('^%d+'))
    if not mine and not was and most > 0 and redis.call('HLEN', roster) >= most then
      status = 'full'
    else
      redis.call('HSET', KEYS[4], row, gen)
      if mine and not was then lose() end
      local before = nodes
      if lost then nodes = rows_of_all(row) elseif not mine or not was then nodes = nodes + 1 end
      if not was then
        redis.call('HSET', roster, user, nodes .. ':' .. info); tell('A', channel, user, info)
      else
        if old ~= info or tonumber(before) ~= tonumber(nodes) then redis.call('HSET', roster, user, nodes .. ':' .. info) end
        if old ~= info then tell('U', channel, user, info) end
      end
      came(channel, user, presence) -- for a user who was there as well: nobody may have been told
    end
  elseif kind == 'L' then status = leave(roster, row, channel, user)
  elseif kind == 'X' then
    local tag = redis.call('HGET', KEYS[4], row)
    if tag and tag ~= gen then status = leave(roster, row, channel, user) else status = 'none' end
  elseif kind == 'C' then status, extra = count(channel, tonumber(user), existence, presence, rule)
  elseif kind == 'Y' then
    local tag = redis.call('HGET', KEYS[4], 'C\0' .. app .. '\0' .. channel)
    if tag and tag:match('^(.*):') ~= gen then status, extra = count(channel, 0, false, false, 's') end
  elseif kind == 'T' then
    extra = tonumber(redis.call('HGET', KEYS[7], channel) or '0')
    status = number(channel, extra, 's')
  elseif kind == 'I' then
    if redis.call('HEXISTS', KEYS[7], channel) == 1 then came(channel, '', existence, true) end
    local users = presence and redis.call('HKEYS', roster) or {}
    table.sort(users) -- the same entries in the same order, wherever and whenever
    for _, there in ipairs(users) do came(channel, there, true, true) end
  elseif kind == 'H' then
    local there = user == '' and redis.call('HEXISTS', KEYS[7], channel) or redis.call('HEXISTS', roster, user)
    if there == 0 then went(channel, user) end
  elseif kind == 'K' then
    if existence and redis.call('HEXISTS', KEYS[7], channel) == 1 then adopt(channel, '') end
    if presence then for _, there in ipairs(redis.call('HKEYS', roster)) do adopt(channel, there) end end
  elseif kind == 'S' then
    if redis.call('HLEN', roster) > 1000 then extra = -1 else extra = redis.call('HGETALL', roster) end
  end
  out[#out + 1] = {status, seq or tonumber(redis.call('GET', KEYS[6]) or '0'), extra or false}
end
if hooked then
  redis.call('HSET', KEYS[15], app, string.format('%.0f', mine), '', string.format('%.0f', all))
  redis.call('PERSIST', KEYS[10]) -- an empty stream expires, see take.lua
  redis.call(ARGV[4], ARGV[6], '')
end
return out
