#!lua flags=allow-oom
-- In a young epoch: who sent webhooks before says what it has told. The highest term wins; ARGV 4 '1' begins anew, but
-- for whoever counts as told since webhooks were switched on in this epoch (CL-036).
-- KEYS: 1 epoch 2 told 3 hooks 4 adopted 5 queued 6 refused   ARGV: 1 now (ms; '0' = Redis's clock) 2 term 3 settling time (ms) 4 '1' = first part 5.. subjects
-- Reply: 'OK' | 'OLD', another has a higher term | 'LATE', the epoch is not young any more
local now = tonumber(ARGV[1])
if now == 0 then local t = redis.call('TIME'); now = t[1] * 1000 + math.floor(t[2] / 1000) end
if now - tonumber(redis.call('HGET', KEYS[1], 'born') or '0') >= tonumber(ARGV[3]) then return 'LATE' end
local term, best = tonumber(ARGV[2]), tonumber(redis.call('HGET', KEYS[1], 'by') or '0')
if term < best then return 'OLD' end
if ARGV[4] == '1' then
  redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[5], KEYS[6])
  if redis.call('EXISTS', KEYS[4]) == 1 then
    redis.call('COPY', KEYS[4], KEYS[2])
    redis.call('PERSIST', KEYS[2])
  end
  redis.call('HSET', KEYS[1], 'by', term, 'term', math.max(term, tonumber(redis.call('HGET', KEYS[1], 'term') or '0')))
end
for i = 5, #ARGV do redis.call('HSET', KEYS[2], ARGV[i], 1) end
return 'OK'
