-- Sliding window log, exact: admits while the costs admitted in (now - period, now] leave room.
-- One entry a request, each unique by its place in the list, so requests in the same microsecond
-- all count. KEYS[1] list of "time cost", KEYS[2] sum of the costs in it.
-- ARGV: now_us ('' = server's clock), limit, period_us, cost, spend.
-- Reply: allowed, left, wait_us, reset_us.
-- Keys expire by the server's clock: one that is told the time lives a minute longer, so that a
-- caller whose clock lags loses no state.
local now, grace = tonumber(ARGV[1]), 60000
if not now then
  local t = redis.call('TIME')
  now, grace = tonumber(t[1]) * 1000000 + tonumber(t[2]), 0
end
local limit, period, cost = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local function entry(text)
  local time, weight = string.match(text, '^(%d+) (%d+)$')
  return tonumber(time), tonumber(weight)
end

local used = tonumber(redis.call('GET', KEYS[2]) or '0')
local newest = redis.call('LINDEX', KEYS[1], -1)
if newest then now = math.max(now, (entry(newest))) end
while true do
  local oldest = redis.call('LINDEX', KEYS[1], 0)
  if not oldest then used = 0 break end
  local time, weight = entry(oldest)
  if time > now - period then break end
  redis.call('LPOP', KEYS[1])
  used = used - weight
end

local allowed = cost <= limit - used
if allowed then
  used = used + cost
  if ARGV[5] == '1' and cost > 0 then
    redis.call('RPUSH', KEYS[1], string.format('%.0f %.0f', now, cost))
  end
end
local ttl = string.format('%.0f', math.ceil(period / 1000) + 1 + grace)
if ARGV[5] == '1' and redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('SET', KEYS[2], string.format('%.0f', used), 'PX', ttl)
  if allowed and cost > 0 then redis.call('PEXPIRE', KEYS[1], ttl) end
elseif redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('DEL', KEYS[2])
else
  redis.call('SET', KEYS[2], string.format('%.0f', allowed and used - cost or used), 'KEEPTTL')
end

-- When enough of the oldest entries have left.
local wait, reset = 0, 0
local length = redis.call('LLEN', KEYS[1])
if length > 0 then
  local last = entry(redis.call('LINDEX', KEYS[1], -1))
  reset = last + period - now
end
if not allowed and cost <= limit then
  local free, i = limit - used, 0
  while free < cost do
    local time, weight = entry(redis.call('LINDEX', KEYS[1], i))
    free, i, wait = free + weight, i + 1, time + period - now
  end
end
return { allowed and 1 or 0, limit - used, wait, reset }
