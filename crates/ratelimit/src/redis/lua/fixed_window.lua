-- Fixed window: windows are whole periods since 1970 (or since the caller's origin).
-- KEYS[1] hash {window, used}; ARGV: now_us ('' = server's clock), limit, period_us, cost, spend.
-- Reply: allowed, left, wait_us, reset_us.
-- Keys expire by the server's clock: one that is told the time lives a minute longer, so that a
-- caller whose clock lags loses no state.
local now, grace = tonumber(ARGV[1]), 60000
if not now then
  local t = redis.call('TIME')
  now, grace = tonumber(t[1]) * 1000000 + tonumber(t[2]), 0
end
local limit, period, cost = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local window, used = math.floor(now / period), 0
local state = redis.call('HMGET', KEYS[1], 'window', 'used')
if state[1] then
  local old = tonumber(state[1])
  -- A clock that stepped back stays in the newest window it has seen.
  if old >= window then window, used = old, tonumber(state[2]) end
end
local reset = (window + 1) * period - now
local allowed = cost <= limit - used
if allowed then
  used = used + cost
  if ARGV[5] == '1' and cost > 0 then
    redis.call('HSET', KEYS[1], 'window', string.format('%.0f', window), 'used', string.format('%.0f', used))
    redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.ceil(reset / 1000) + 1 + grace))
  end
end
return { allowed and 1 or 0, math.max(0, limit - used), allowed and 0 or reset, reset }
