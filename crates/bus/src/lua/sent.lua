#!lua flags=allow-oom
-- Removes webhooks that need no more sending, and what they took of the bound; removing them once more does no harm.
-- KEYS: 1 hooks 2 queued   ARGV: ids of entries   Reply: 'OK'
local sizes, sum = {}, 0
for _, id in ipairs(ARGV) do
  local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
  if entry then
    local said = {}
    for i = 1, #entry[2], 2 do said[entry[2][i]] = entry[2][i + 1] end
    local size = #said.a + #said.c + #said.u + 128 -- as in apply.lua
    sizes[said.a], sum = (sizes[said.a] or 0) + size, sum + size
    redis.call('XDEL', KEYS[1], id)
  end
end
for app, size in pairs(sizes) do
  if redis.call('HINCRBY', KEYS[2], app, -size) <= 0 then redis.call('HDEL', KEYS[2], app) end
end
if sum > 0 then redis.call('HINCRBY', KEYS[2], '', -sum) end
if redis.call('XLEN', KEYS[1]) == 0 then redis.call('DEL', KEYS[2]) end
return 'OK'
