-- fetch_lock.lua: decides which instance fetches a URL (README.md: "Fetch lock").
--
--   KEYS     the lock; for 'take' perhaps the base key, too; and if a look-up found an index there, the variant's key
--   ARGV     'take', 'keep' or 'leave'; the id of the fetch; ms that the lock may be held; with a base key: the version
--            that the look-up saw there ('': none); with a variant's key: the 16 bytes that name the variant, and the
--            version that the look-up saw there ('': none, or the index did not list the variant)
--   returns  1: taken (or held by this id), kept, left; 0: another id holds the lock, or none does. 'take' returns 2
--            more if the value at the base or at the variant's key has changed since the look-up
local VARIANTS, BYTES = 16, 16
local op, id, ms = ARGV[1], ARGV[2], ARGV[3]

-- The first bytes of a value; '' if the key is absent or the value is foreign. 8 of these bytes are the version.
local function begin_of(key, bytes)
  local head = redis.pcall('GETRANGE', key, 0, bytes - 1)
  return type(head) == 'string' and #head >= 40 and string.sub(head, 1, 4) == 'GWC2' and head or ''
end

local function is_listed(index, variant)
  local at = 43 + (#index < 42 and 0 or struct.unpack('<I2', string.sub(index, 41, 42)))
  while at + BYTES - 1 <= #index do
    if string.sub(index, at, at + BYTES - 1) == variant then
      return true
    end
    at = at + BYTES
  end
  return false
end

-- Compares only versions: no body is read. An index keeps its version while variants come and go.
local function changed()
  if not KEYS[2] then
    return 0
  end
  local base = begin_of(KEYS[2], 42 + 512 + VARIANTS * BYTES)
  if string.sub(base, 9, 16) ~= ARGV[4] then
    return 2
  end
  local variant = KEYS[3] and is_listed(base, ARGV[5]) and begin_of(KEYS[3], 40) or ''
  return KEYS[3] and string.sub(variant, 9, 16) ~= ARGV[6] and 2 or 0
end

if op == 'take' then
  local done = redis.pcall('SET', KEYS[1], id, 'NX', 'PX', ms)
  if done then
    return done.err and done or 1 + changed()
  end
end

local holder = redis.pcall('GET', KEYS[1])
if holder ~= id then
  local fault = type(holder) == 'table' and not string.find(holder.err, 'WRONGTYPE', 1, true)
  return fault and holder or op == 'take' and changed() or 0
end
if op == 'leave' then
  return redis.pcall('DEL', KEYS[1])
end
return op == 'take' and 1 + changed() or redis.pcall('PEXPIRE', KEYS[1], ms)
