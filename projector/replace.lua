#!lua flags=allow-oom
-- Sets or deletes keys, if the first one is still as it was loaded.
-- KEYS: those to change. ARGV: the expected value of the first ('' for none), then the new values
-- ('' to delete).
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
    return 0
end
for i, key in ipairs(KEYS) do
    if ARGV[i + 1] == '' then
        redis.call('DEL', key)
    else
        redis.call('SET', key, ARGV[i + 1])
    end
end
return 1
