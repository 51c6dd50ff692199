-- Writes a batch and the new checkpoint, if the checkpoint still has the expected value. Publishes
-- the new checkpoint on the channel with the name of its key.
-- KEYS: checkpoint, then the keys to set, to delete, to add to, to remove from.
-- ARGV: expected checkpoint ('' for none), new checkpoint, the number of keys of each kind,
--       the values to set; then for each key to add to: a count and that many scores and ids;
--       then for each key to remove from: a count and that many ids.
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
    return 0
end
local CHUNK = 2000 -- Lua's stack limits what unpack returns; even, because of pairs
local key, arg = 1, 6
local call = redis.call

for _ = 1, tonumber(ARGV[3]) do
    key, arg = key + 1, arg + 1
    call('SET', KEYS[key], ARGV[arg])
end

local last = key + tonumber(ARGV[4])
while key < last do
    local to = math.min(key + CHUNK, last)
    call('DEL', unpack(KEYS, key + 1, to))
    key = to
end

local function members(command, keys)
    for _ = 1, keys do
        key, arg = key + 1, arg + 1
        local stop = arg + tonumber(ARGV[arg])
        while arg < stop do
            local to = math.min(arg + CHUNK, stop)
            call(command, KEYS[key], unpack(ARGV, arg + 1, to))
            arg = to
        end
    end
end
members('ZADD', tonumber(ARGV[5]))
members('ZREM', tonumber(ARGV[6]))

call('SET', KEYS[1], ARGV[2])
redis.pcall('SPUBLISH', KEYS[1], ARGV[2]) -- a lost message only delays readers
return 1
