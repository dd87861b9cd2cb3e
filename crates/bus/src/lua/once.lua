-- A publish with an idempotency key is done once, whichever nodes its repeats come to (API-022 … API-024).
-- No flags: on a full Redis the script fails, and the node goes on alone.
-- KEYS: 1 once:APP, each key with its state: w fingerprint owner (under way) or d fingerprint answer (done); '' = bytes of all
--       2 once-at:APP, when each key was first used
-- ARGV: 1 now (ms; '0' = Redis's clock) 2 begin | end | forget 3 key 4 fingerprint (16 bytes) 5 owner, or at the end the answer
--       6 how long a key is remembered 7 how long a publish may be under way (ms) 8 bytes of all keys at most
-- Reply: 'OK' | to begin: 'new', 'busy' (under way elsewhere), 'other' (another body), or 'again', six characters with
--        the time since the first use (ms), and the first answer
local now = tonumber(ARGV[1])
if now == 0 then local t = redis.call('TIME'); now = t[1] * 1000 + math.floor(t[2] / 1000) end
local what, key, fingerprint, more = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local life, hold, most = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local function size(state) return #state + 200 end -- about what Redis needs for it
local function remove(one)
  local state = redis.call('HGET', KEYS[1], one)
  redis.call('ZREM', KEYS[2], one)
  if state then redis.call('HDEL', KEYS[1], one); redis.call('HINCRBY', KEYS[1], '', -size(state)) end
end
local function put(state, at)
  remove(key)
  if size(state) > most then return end
  while tonumber(redis.call('HGET', KEYS[1], '') or '0') + size(state) > most do
    local oldest = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
    if not oldest then return end
    remove(oldest)
  end
  redis.call('HSET', KEYS[1], key, state)
  redis.call('ZADD', KEYS[2], at, key)
  redis.call('HINCRBY', KEYS[1], '', size(state))
  redis.call('PEXPIRE', KEYS[1], life); redis.call('PEXPIRE', KEYS[2], life)
end
local at = tonumber(redis.call('ZSCORE', KEYS[2], key) or '-1')
-- A time ahead of this clock is of another master's.
local state = at >= 0 and at > now - life and at <= now + 1000 and redis.call('HGET', KEYS[1], key)
if what == 'begin' then
  for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - life, 'LIMIT', 0, 100)) do remove(old) end
  if state then
    if state:sub(2, 17) ~= fingerprint then return 'other' end
    if state:sub(1, 1) == 'd' then return string.format('again%6d', math.max(now - at, 0)) .. state:sub(18) end
    if now - at < hold then return 'busy' end
  end
  put('w' .. fingerprint .. more, now)
  return 'new'
elseif what == 'end' then
  if not state or state:sub(2, 17) == fingerprint then put('d' .. fingerprint .. more, state and at or now) end
elseif state == 'w' .. fingerprint .. more then
  remove(key)
end
return 'OK'
