-- purge.lua: reads what is new in the ban log, and adds one more ban with a number (README.md: "The ban log").
--
--   KEYS     the log
--   ARGV     the number up to which the caller knows the log (0: no number); a ban to be added ('': none)
--   returns  '' if nothing is new; else one string: 'GWP1', u16 count, u16 flags (1: more, ask again), u64 floor, u64
--            number that the caller knows after this answer; and count times u64 number, u16 length, ban. Little-endian
--
-- The log is a sorted set. Each ban is stored as it is answered, scored by its number; below all of them lies 'F',
-- scored by the floor. So most polls, which find nothing new, read only one element and the expiry. The expiry is 26
-- days, renewed when a day is over, because the log must outlive every response, and these live up to 24.9 days.
--
-- Lua has only doubles: whole numbers are exact up to 2^53, but .. writes only 14 digits of them. Numbers here are µs
-- of the epoch or little more, below 2^52 until the year 2112.
local STEP, BANS, PAGE, LIMIT, LIFE, DAY = 65536, 1024, 120, 4503599627370496, 2246400000, 86400000
local known, ban = ARGV[1] + 0, ARGV[2] ~= '' and ARGV[2]

local function u64(number)
  local low = number % 4294967296
  return struct.pack('<I4I4', low, (number - low) / 4294967296)
end

-- The clock; or, if the clock is behind, a step above `last` and then its µs more. So two logs that went on from the
-- same number (one was lost) do not give the same next number: a number must belong to one ban only.
local function number_after(last)
  local time = redis.call('TIME')
  local now, least = time[1] * 1000000 + time[2], last + STEP
  return now >= least and now or least + now % STEP
end

-- The last number and the floor; nothing if the log is absent or the key has another type.
local found = redis.pcall('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
if found.err and not string.find(found.err, 'WRONGTYPE', 1, true) then
  return found
end
local is_empty, last, floor = not found.err and not found[1], tonumber(found[2]), nil
if not ban and (last == known or is_empty and known == 0) then
  local done = last and redis.call('PTTL', KEYS[1]) < LIFE - DAY and redis.pcall('PEXPIRE', KEYS[1], LIFE)
  return type(done) == 'table' and done or ''
end
if last then
  found = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  floor = found[1] == 'F' and last < LIMIT and tonumber(found[2]) or nil
end

-- The caller knows a number that neither the log nor its floor knows: bans have been lost (FLUSHALL, an eviction, a
-- failover). The lost bans are not known, so the floor becomes a number above all known ones: everything that was
-- fetched before counts as purged.
local is_lost = not floor or known > floor and not redis.call('ZRANGE', KEYS[1], known, known, 'BYSCORE')[1]
if is_lost then
  floor = is_empty and known == 0 and 0 or number_after(math.max(floor and last or 0, known))
  last = floor
  local done = redis.pcall('DEL', KEYS[1])
  if type(done) == 'table' then
    return done
  end
end

if is_lost or ban then
  local words = { 'ZADD', KEYS[1] }
  if is_lost then
    words[3], words[4] = floor, 'F'
  end
  if ban then
    last = number_after(last)
    words[#words + 1] = last
    words[#words + 1] = u64(last) .. struct.pack('<I2', #ban) .. ban
  end
  local done = redis.pcall(unpack(words))
  if type(done) == 'table' then
    return done
  end
  redis.call('PEXPIRE', KEYS[1], LIFE)
end

-- The oldest bans leave; the floor is the number of the last of them.
local excess = redis.call('ZCARD', KEYS[1]) - 1 - BANS
if excess > 0 then
  floor = tonumber(redis.call('ZRANGE', KEYS[1], excess, excess, 'WITHSCORES')[2])
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', floor)
  redis.call('ZADD', KEYS[1], floor, 'F')
end

local after = string.format('(%.0f', math.max(known, floor))
local bans = redis.call('ZRANGE', KEYS[1], after, '+inf', 'BYSCORE', 'LIMIT', 0, PAGE + 1)
local more = bans[PAGE + 1] and 1 or 0
bans[PAGE + 1] = nil
if more == 1 then
  local low, high = struct.unpack('<I4I4', bans[PAGE])
  last = high * 4294967296 + low
end
return 'GWP1' .. struct.pack('<I2I2', #bans, more) .. u64(floor) .. u64(last) .. table.concat(bans)
