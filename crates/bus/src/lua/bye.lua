#!lua flags=allow-oom
-- Forgets a dead node that has no rows left, or lets a node go that leaves by itself (ARGV 2 is its generation; then it is
-- declared dead at once, so that whatever it still has is taken away by others).
-- KEYS: 1 live 2 gen 3 own:NODE 4 dead   ARGV: 1 node 2 generation or ''   Reply: 'OK' | 'FENCED'
if ARGV[2] ~= '' then
  if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then return 'FENCED' end
  redis.call('ZREM', KEYS[1], ARGV[1]); redis.call('HDEL', KEYS[2], ARGV[1]); redis.call('SADD', KEYS[4], ARGV[1])
end
if redis.call('HLEN', KEYS[3]) == 0 then redis.call('SREM', KEYS[4], ARGV[1]) end
return 'OK'
