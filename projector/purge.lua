-- Deletes keys of a shard while it still has the checkpoint that makes them worthless.
-- KEYS: checkpoint, keys to delete. ARGV: that checkpoint ('' for none).
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
    return 0
end
for i = 2, #KEYS do
    redis.call('UNLINK', KEYS[i])
end
return 1
