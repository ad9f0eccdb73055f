-- Write one contiguous range of the log into its shard: all values and the new position, or nothing.
-- KEYS[1] {shard}:meta    KEYS[2..n] one key per value (a key may repeat)
-- ARGV[1] epoch of the claim   ARGV[2] offset the range was decided on ('' = nothing applied yet)   ARGV[3] offset it ends at
-- ARGV[4] digest   ARGV[5] hash of the record at ARGV[3]   ARGV[6] shard state   ARGV[7] topology
-- ARGV[6 + 2i], ARGV[7 + 2i] for KEYS[i + 1]: hash field ('' = plain string), value ('' = delete)
-- returns {status, epoch, offset}   status: committed | moved
-- moved: another owner advanced, or Redis went back; nothing was written. Offsets are compared as text: no number is computed here.
-- Every comparison stands before the first write, because an error in the middle would keep the earlier writes.
local known = redis.call('HMGET', KEYS[1], 'epoch', 'offset')
if known[1] ~= ARGV[1] or (known[2] or '') ~= ARGV[2] then
    return { 'moved', known[1], known[2] }
end
for i = 2, #KEYS do
    local field, value = ARGV[4 + 2 * i], ARGV[5 + 2 * i]
    if field == '' then
        if value == '' then redis.call('DEL', KEYS[i]) else redis.call('SET', KEYS[i], value) end
    else
        if value == '' then redis.call('HDEL', KEYS[i], field) else redis.call('HSET', KEYS[i], field, value) end
    end
end
redis.call('HSET', KEYS[1], 'offset', ARGV[3], 'digest', ARGV[4], 'record', ARGV[5], 'state', ARGV[6], 'topology', ARGV[7])
return { 'committed', ARGV[1], ARGV[3] }
