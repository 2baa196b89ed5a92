-- Sliding window counter: the last window counts by the part of it that still overlaps.
-- Admits when prev * (period - into) + (cur + cost) * period <= limit * period, compared exactly.
-- KEYS[1] hash {window, cur, prev}; ARGV: now_us ('' = server's clock), limit, period_us, cost, spend.
-- Reply: allowed, left, wait_us, reset_us.
-- Keys expire by the server's clock: one that is told the time lives a minute longer, so that a
-- caller whose clock lags loses no state.
local now, grace = tonumber(ARGV[1]), 60000
if not now then
  local t = redis.call('TIME')
  now, grace = tonumber(t[1]) * 1000000 + tonumber(t[2]), 0
end
local limit, period, cost = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

-- a * b as two parts under 2^53 (base 2^26 digits): doubles alone round past 2^53.
local B = 67108864
local function mul(a, b)
  local a1, a0, b1, b0 = math.floor(a / B), a % B, math.floor(b / B), b % B
  local low = a0 * b0
  local mid = a1 * b0 + a0 * b1 + math.floor(low / B)
  return a1 * b1 + math.floor(mid / B), (mid % B) * B + low % B
end
local function fits(a, b, c, d) -- a * b <= c * d
  local ah, al = mul(a, b)
  local ch, cl = mul(c, d)
  return ah < ch or (ah == ch and al <= cl)
end

local window, cur, prev = math.floor(now / period), 0, 0
local state = redis.call('HMGET', KEYS[1], 'window', 'cur', 'prev')
if state[1] then
  local old = tonumber(state[1])
  if old >= window then
    if old > window then window, now = old, old * period end
    cur, prev = tonumber(state[2]), tonumber(state[3])
  elseif old == window - 1 then
    prev = tonumber(state[2])
  end
end
local into = now - window * period
local room = limit - cur - cost
local allowed = room >= 0 and fits(prev, period - into, room, period)
if allowed then
  cur = cur + cost
  if ARGV[5] == '1' and cost > 0 then
    redis.call('HSET', KEYS[1], 'window', string.format('%.0f', window), 'cur', string.format('%.0f', cur),
      'prev', string.format('%.0f', prev))
    redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.ceil((2 * period - into) / 1000) + 1 + grace))
  end
end
-- The longest wait that binary search needs to find: into the window after this one.
local function admits(after)
  local i = into + after
  local c, p = cur, prev
  if i >= 2 * period then return cost <= limit end
  if i >= period then i, c, p = i - period, 0, cur end
  local r = limit - c - cost
  return r >= 0 and fits(p, period - i, r, period)
end
local wait = 0
if not allowed and cost <= limit then
  -- Two stretches in which admission only gets easier; search the one that has the answer.
  local low, high = 0, period - into
  if not admits(high - 1) then low, high = high - 1, 2 * period - into end
  while high - low > 1 do
    local middle = math.floor((low + high) / 2)
    if admits(middle) then high = middle else low = middle end
  end
  wait = high
end
local weight = prev * (period - into) / period
return { allowed and 1 or 0, math.max(0, math.floor(limit - cur - weight)), wait, period - into }
