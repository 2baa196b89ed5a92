-- Token bucket, exact: tokens are counted in 1/period tokens, so a refill adds elapsed * count.
-- KEYS[1] hash {level, at}; ARGV: now_us ('' = server's clock), count, period_us, burst, cost, spend.
-- The caller guarantees burst * period_us < 2^53. Reply: allowed, tokens, part, wait_us.
-- Keys expire by the server's clock: one that is told the time lives a minute longer, so that a
-- caller whose clock lags loses no state.
local now, grace = tonumber(ARGV[1]), 60000
if not now then
  local t = redis.call('TIME')
  now, grace = tonumber(t[1]) * 1000000 + tonumber(t[2]), 0
end
local count, period = tonumber(ARGV[2]), tonumber(ARGV[3])
local full, need = tonumber(ARGV[4]) * period, tonumber(ARGV[5]) * period

local level, at = full, now
local state = redis.call('HMGET', KEYS[1], 'level', 'at', 'period')
if state[1] then
  -- A clock that stepped back refills nothing until it has caught up.
  at = math.max(now, tonumber(state[2]))
  level = tonumber(state[1])
  local old = tonumber(state[3])
  if old ~= period then level = math.floor(level / old * period) end
  local elapsed = at - tonumber(state[2])
  -- Compare before multiplying: elapsed * count may not fit a double, the room does.
  local room = full - level
  if elapsed >= math.ceil(room / count) then level = full else level = level + elapsed * count end
end

local allowed = need <= level
if allowed and ARGV[6] == '1' and need > 0 then
  level = level - need
  redis.call('HSET', KEYS[1], 'level', string.format('%.0f', level), 'at', string.format('%.0f', at),
    'period', ARGV[3])
  -- The key may go when the bucket is full again, never sooner.
  local ttl = math.ceil(((full - level) / count + (at - now)) / 1000) + 1 + grace
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ttl))
elseif allowed then
  level = level - need
end
local wait = 0
if not allowed then wait = math.ceil((need - level) / count) + (at - now) end
return { allowed and 1 or 0, math.floor(level / period), level % period, wait }
