-- store.lua: put a value below gw:cache: unless what lies there is not what the look-up saw (README.md: "Store").
--
--   KEYS     the base key
--   ARGV     version that the look-up saw ('': none), life in ms of the new value, the value ('': delete): last, since it may
--            be large, and lies apart
--   returns  1 stored (or deleted), 0 not
--
-- Nothing there, or something foreign, may be written over by everyone: a tombstone outlives every fetch begun before it, so
-- where nothing lies, nothing was invalidated meanwhile. That is why a store never shortens a life.
local seen, life, value = ARGV[1], ARGV[2] + 0, ARGV[3]

local head = redis.pcall('GETRANGE', KEYS[1], 0, 39)
if type(head) == 'table' then
  if not string.find(head.err, 'WRONGTYPE', 1, true) then
    return head
  end
elseif #head == 40 and string.sub(head, 1, 4) == 'GWC1' then
  if string.sub(head, 9, 16) ~= seen then
    return 0
  end
  local left = math.min(redis.call('PTTL', KEYS[1]), 2147483647)
  if left > life and value ~= '' then
    life = left
    value = string.sub(value, 1, 16) .. struct.pack('<I4', life) .. string.sub(value, 21)
  end
end

if value == '' then
  return redis.pcall('DEL', KEYS[1])
end
local done = redis.pcall('SET', KEYS[1], value, 'PX', string.format('%d', life))
return done.err and done or 1
