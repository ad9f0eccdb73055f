-- Read values of one shard together with the position they belong to.
-- KEYS[1] {shard}:meta    KEYS[2..n] one key per value wanted (a key may repeat)
-- ARGV[i] for KEYS[i + 1]: the hash field wanted, or '' where the key is a plain string
-- returns {epoch, offset, value...}: false where nothing is stored
local answer = redis.call('HMGET', KEYS[1], 'epoch', 'offset')
for i = 2, #KEYS do
    local field = ARGV[i - 1]
    if field == '' then
        answer[i + 1] = redis.call('GET', KEYS[i])
    else
        answer[i + 1] = redis.call('HGET', KEYS[i], field)
    end
end
return answer
