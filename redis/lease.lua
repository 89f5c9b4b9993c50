-- lease.lua: who fetches a key, over all instances (README.md: "Other keys").
--
--   KEYS     the lock
--   ARGV     'take', 'keep' or 'leave'; the id of who asks; ms that it may be held
--   returns  1: taken (or held by this id), kept, left; 0: another holds it, or nobody does
local op, id, ms = ARGV[1], ARGV[2], ARGV[3]

if op == 'take' then
  local done = redis.pcall('SET', KEYS[1], id, 'NX', 'PX', ms)
  if done then
    return done.err and done or 1
  end
end

local holder = redis.pcall('GET', KEYS[1])
if holder ~= id then
  return type(holder) == 'table' and not string.find(holder.err, 'WRONGTYPE', 1, true) and holder or 0
end
if op == 'leave' then
  return redis.pcall('DEL', KEYS[1])
end
return op == 'take' and 1 or redis.pcall('PEXPIRE', KEYS[1], ms)
