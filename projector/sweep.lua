#!lua flags=allow-oom
-- Deletes the keys whose generation is not named, while the sweep that found them is the last one.
-- KEYS: checkpoint, spare, sweep, then keys to examine. ARGV: the value of sweep.
if redis.call('GET', KEYS[3]) ~= ARGV[1] then
    return -1
end
local function word(key, number)
    local at = 0
    for found in string.gmatch(redis.call('GET', key) or '', '%S+') do
        at = at + 1
        if at == number then
            return found
        end
    end
end
if not tonumber(word(KEYS[1], 1)) then
    return -1
end
local named = {[word(KEYS[1], 5) or '-'] = true}
if redis.call('EXISTS', KEYS[2]) == 1 then
    named[word(KEYS[2], 7) or '-'] = true
end
local own = {checkpoint = true, spare = true, sweep = true, owner = true, head = true}
local deleted = 0
for i = 4, #KEYS do
    local generation = string.match(KEYS[i], '^{[^}]*}:(g[0-9a-z]+):') or '-'
    if not named[generation] and not own[string.match(KEYS[i], '^{[^}]*}:(.*)$')] then
        redis.call('UNLINK', KEYS[i])
        deleted = deleted + 1
    end
end
return deleted
