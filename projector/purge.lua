-- Deletes keys of a shard, if the checkpoint still has the expected value.
-- KEYS: checkpoint, keys to delete. ARGV: expected checkpoint ('' for none).
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
    return 0
end
for i = 2, #KEYS do
    redis.call('UNLINK', KEYS[i])
end
return 1
