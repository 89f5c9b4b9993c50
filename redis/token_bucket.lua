-- token_bucket.lua: may a request pass all of its limits? Takes from all of its buckets or from none.
--
--   KEYS     one bucket each, gw:rl:<policy>:<n>-<period>-<burst>:<client>; no key twice
--   ARGV     four integers a bucket: n, period in µs, burst, cost. n tokens a period, n and period without a common
--            divisor, 1 <= cost <= burst
--   returns  four integers a bucket: allowed (1 or 0), whole tokens remaining (after the take, if all were taken), µs
--            until `cost` tokens can be there (0 if allowed), µs until it is full
--
-- A bucket is the instant at which it is full again, on this server's clock. Its value is us, or us:rest: microseconds
-- and a rest in parts; a part is 1/n µs. A token takes period parts to come, and a µs brings n parts. So every sum is
-- one of integers, and only the answers are rounded. gateway/limit/bucket.c counts the same in 128 bits.
--
-- Why it is exact. Lua has only doubles; integers up to 2^53 are exact in them, and
--   (1)  n <= 94906265, so n * n < 2^53; period < 2^53, cost <= burst < 2^50; a bucket fills within Y < 2^45 µs (407
--        days). Other numbers give an error.
--   (2)  Rounding is monotonous and 2^53 is a double: a product of integers that comes out below 2^53 is the true one.
--   (3)  For integers 0 <= a < 2^53 and b >= 1, a % b is exact. Lua computes a - floor(a / b) * b. Let a = q b + r. The
--        result is wrong only if a / b is rounded up to q + 1, which needs (b - r) / b < (q + 1) / 2^53, that is (b -
--        r) * 2^53 < a + (b - r), so a > (b - r) * (2^53 - 1) >= 2^53 - 1. Then (a - a % b) / b is q, exactly.
--   (4)  An amount of time is us and rest < n, us < 2^46 in each sum of two; such pairs are compared us first.
--   (5)  count tokens are count * period parts. If that is 2^53 or more, let count = a n + b, period = c n + d: it is
--        (count c + a d) n + b d parts, count c and a d at most Y (or for one token more 2 Y), b d < n * n.
local LIMIT = 9007199254740992

-- The time in which `count` tokens come: us, rest.
local function time_for(count, period, n)
  local parts = count * period
  if parts < LIMIT then
    local rest = parts % n
    return (parts - rest) / n, rest
  end
  local b, d = count % n, period % n
  local rest = b * d % n
  return count * ((period - d) / n) + (count - b) / n * d + (b * d - rest) / n, rest
end

-- The tokens that come in us and rest. If the parts are no longer exact, neither is their quotient, after three
-- roundings: for counts up to burst the error is less than one. So the result is the next higher count, this one or the
-- next lower.
local function tokens_in(us, rest, period, n)
  local parts = us * n + rest
  if parts < LIMIT then
    return (parts - parts % period) / period
  end
  local count = parts / period
  count = count - count % 1 + 1
  for _ = 1, 2 do
    local needs, needs_rest = time_for(count, period, n)
    if needs < us or needs == us and needs_rest <= rest then
      return count
    end
    count = count - 1
  end
  return count
end

-- Returns SET's error, if it has one, unchanged: so its first word tells OOM from READONLY also under Redis 6. The
-- value is text, because SET takes three times as long over a number; in two pieces, because %d has 32 bits on small
-- machines.
local function put(key, us, rest)
  local micros, ms = us % 1000000, (us - us % 1000) / 1000 + 1
  local value = string.format('%d%06d', (us - micros) / 1000000, micros)
  if rest > 0 then
    value = string.format('%s:%d', value, rest)
  end
  local done = redis.pcall('SET', key, value, 'PXAT', string.format('%d%03d', (ms - ms % 1000) / 1000, ms % 1000))
  return done.err and done
end

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local answer, full, full_rest = { 0, 0, 0, 0 }, nil, nil
local all, clamped, fault = true, nil, nil

for i = 1, #KEYS do
  local key, at = KEYS[i], 4 * i
  local n, period, burst, cost = ARGV[at - 3] + 0, ARGV[at - 2] + 0, ARGV[at - 1] + 0, ARGV[at] + 0
  local whole, whole_rest = time_for(burst, period, n)
  if not (n >= 1 and n <= 94906265 and period >= 1 and period < LIMIT and cost >= 1 and cost <= burst and
    burst < 1125899906842624 and whole < 35184372088832) then
    return redis.error_reply('ERR token_bucket: n, period, burst, cost of ' .. key .. ' are out of bounds')
  end

  -- How much the bucket lacks to be full.
  local lack, lack_rest = 0, 0
  local value = redis.pcall('GET', key)
  if value then
    local us, rest = tonumber(value), 0
    if not us then
      if type(value) == 'string' then
        us, rest = string.match(value, '^(%d+):(%d+)$')
        us, rest = tonumber(us), tonumber(rest)
      elseif not string.find(value.err, 'WRONGTYPE', 1, true) then
        return value
      end
    end
    -- Any value that is no instant was written by another program, and counts as a full bucket.
    if us and us >= now and us < LIMIT and us % 1 == 0 and rest < n then
      lack, lack_rest = us - now, rest
      -- More than a whole bucket: the clock went back. Stored also on a refusal; otherwise the bucket would stay empty.
      if lack > whole or lack == whole and lack_rest > whole_rest then
        lack, lack_rest = whole, whole_rest
        clamped = clamped or {}
        clamped[#clamped + 1] = { key, whole, whole_rest }
      end
    end
  end

  local left, left_rest = whole - lack, whole_rest - lack_rest
  if left_rest < 0 then
    left, left_rest = left - 1, left_rest + n
  end
  local remaining = tokens_in(left, left_rest, period, n)
  answer[at - 2] = remaining
  answer[at] = lack_rest > 0 and lack + 1 or lack
  local take, take_rest = time_for(cost, period, n)
  if remaining >= cost then
    answer[at - 3], answer[at - 1] = 1, 0
    local after, after_rest = lack + take, lack_rest + take_rest
    if after_rest >= n then
      after, after_rest = after + 1, after_rest - n
    end
    if i == 1 then
      full, full_rest = { after }, { after_rest }
    elseif all then
      full[i], full_rest[i] = after, after_rest
    end
  else
    all = false
    answer[at - 3], answer[at - 1] = 0, take - left + (take_rest > left_rest and 1 or 0)
  end
end

if all then
  for i = 1, #KEYS do
    local at, after, rest = 4 * i, full[i], full_rest[i]
    fault = fault or put(KEYS[i], now + after, rest)
    answer[at - 2] = answer[at - 2] - ARGV[at]
    answer[at] = rest > 0 and after + 1 or after
  end
elseif clamped then
  for _, bucket in ipairs(clamped) do
    fault = fault or put(bucket[1], now + bucket[2], bucket[3])
  end
end
return fault or answer
