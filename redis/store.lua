-- store.lua: puts a value below gw:cache: unless the value there is not the one that the look-up saw (README.md:
-- "Store").
--
--   KEYS     the base key; if a variant is put, its key, too: the base key, ':', the hex of the 16 bytes below
--   ARGV     version that the look-up saw ('': none), life in ms of the new value, (for a variant: an index without
--            variants, in case it is the first one; 16 bytes that name it,) the value ('': delete). The value is last,
--            because it may be large and Redis keeps it apart
--   returns  1 stored (or deleted), 0 not
--
-- If the key is absent or its value is foreign, every caller may write: a tombstone outlives every fetch begun before
-- it, so at an absent key nothing was invalidated meanwhile. That is why a store never shortens the life of a base.
-- Only the first write asks for memory: if Redis accepts it, Redis refuses none of the others.
local VARIANTS, BYTES = 16, 16
local base, variant = KEYS[1], KEYS[2]
local seen, life, value = ARGV[1], ARGV[2] + 0, ARGV[#ARGV]

local function set(key, bytes, ms)
  local done = redis.pcall('SET', key, bytes, 'PX', string.format('%d', ms))
  return done.err and done
end

-- Deletes the keys of these variants.
local function drop(list)
  local keys = {}
  for at = 1, #list - BYTES + 1, BYTES do
    local id = string.sub(list, at, at + BYTES - 1)
    keys[#keys + 1] = base .. ':' .. string.gsub(id, '.', function(c) return string.format('%02x', string.byte(c)) end)
  end
  if #keys > 0 then
    redis.call('DEL', unpack(keys))
  end
end

-- The value at the base. If it is an index: its names, and its variants, the last stored one first.
local head, names, list, left = redis.pcall('GETRANGE', base, 0, 39), '', '', -1
if type(head) == 'table' and not string.find(head.err, 'WRONGTYPE', 1, true) then
  return head
elseif type(head) == 'table' or #head < 40 or string.sub(head, 1, 4) ~= 'GWC2' then
  head = ''
else
  left = math.min(redis.call('PTTL', base), 2147483647)
end
local is_index = string.sub(head, 5, 5) == 'I'
if is_index then
  local rest = redis.call('GETRANGE', base, 40, 41 + 512 + VARIANTS * BYTES)
  local length = #rest < 2 and 0 or struct.unpack('<I2', rest)
  names, list = string.sub(rest, 1, 2 + length), string.sub(rest, 3 + length, 2 + length + VARIANTS * BYTES)
end

-- The value that the base is to have (false: it has it already), and the variants that end with that.
local there, gone = value, list
if variant and is_index and string.sub(head, 9, 16) == string.sub(ARGV[3], 9, 16) then
  local order = ARGV[4]
  for at = 1, #list - BYTES + 1, BYTES do
    local id = string.sub(list, at, at + BYTES - 1)
    if id ~= ARGV[4] then
      order = order .. id
    end
  end
  gone, order = string.sub(order, VARIANTS * BYTES + 1), string.sub(order, 1, VARIANTS * BYTES)
  there = (order ~= list or left < life) and head .. names .. order
elseif head ~= '' and string.sub(head, 9, 16) ~= seen then
  return 0
elseif variant then
  there = ARGV[3] .. ARGV[4]
end

if there == '' then
  local done = redis.pcall('DEL', base)
  if type(done) == 'number' then
    drop(gone)
  end
  return done
end
if there then
  local lives = math.max(left, life)
  if lives > life or variant then
    there = string.sub(there, 1, 16) .. struct.pack('<I4', lives) .. string.sub(there, 21)
  end
  local fault = set(base, there, lives)
  if fault then
    return fault
  end
  drop(gone)
end
return variant and set(variant, value, life) or 1
