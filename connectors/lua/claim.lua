-- Become the writer of a shard: raise its epoch, so that every earlier owner is fenced.
-- KEYS[1] {shard}:meta  hash: epoch, offset, digest, record, state, topology
-- ARGV[1] claimed_at_ms: the new epoch is at least this, so that an epoch never comes back after Redis lost its memory
-- returns {epoch, offset, digest, record, state, topology}: texts; all but the epoch are false where nothing was ever committed
-- Redis may be set up without it, but a script that reads before it writes must not be cut in two: it is one script for that reason.
local epoch = math.max(tonumber(redis.call('HGET', KEYS[1], 'epoch') or '0') + 1, tonumber(ARGV[1]))
local known = redis.call('HMGET', KEYS[1], 'offset', 'digest', 'record', 'state', 'topology')
redis.call('HSET', KEYS[1], 'epoch', string.format('%.0f', epoch))
return { string.format('%.0f', epoch), known[1], known[2], known[3], known[4], known[5] }
