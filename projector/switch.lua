#!lua flags=allow-oom
-- Exchanges the live generation and the spare, if nothing that was verified has changed and the
-- spare has reached the live position. KEYS: checkpoint, spare.
-- ARGV: live generation, spare generation, state of the spare, new mark, time (Unix ms).
local function words(key)
    local found = {}
    for word in string.gmatch(redis.call('GET', key) or '', '%S+') do
        found[#found + 1] = word
    end
    return found
end
local live, spare = words(KEYS[1]), words(KEYS[2])
local generation, shape, mark = live[5] or '-', live[6] or '1', live[7] or '-'
if #live < 4 or #spare < 9 or generation ~= ARGV[1] or spare[7] ~= ARGV[2] or spare[1] ~= ARGV[3] then
    return 'changed'
end
if tonumber(spare[3]) < math.max(tonumber(live[1]), tonumber(live[4])) then
    return 'behind'
end
local checkpoint = {spare[3], live[2], spare[5], '0'}
-- The first generation without a mark remains readable for versions without generations.
if spare[7] ~= '-' or spare[9] ~= '-' then
    checkpoint = {spare[3], live[2], spare[5], '0', spare[7], spare[8], ARGV[4]}
end
redis.call('SET', KEYS[1], table.concat(checkpoint, ' '))
redis.pcall('SPUBLISH', KEYS[1], table.concat(checkpoint, ' ')) -- a lost message delays readers
redis.call('SET', KEYS[2], table.concat(
    {'kept', ARGV[5], live[1], live[2], live[3], live[4], generation, shape, mark}, ' '))
return 'switched'
