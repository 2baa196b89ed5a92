-- GCRA on one key, exact. The theoretical arrival time is whole microseconds and a remainder counted
-- in 1/den microseconds, so no double ever holds more than 2^53.
-- KEYS[1] state "tat rem den"; ARGV: now_us ('' = server's clock), cost as inc_us, inc_rem, burst as
-- tol_us, tol_rem, den, spend (0 = only look).
-- Reply: allowed, slack_us, slack_rem, wait_us.
-- Keys expire by the server's clock: one that is told the time lives a minute longer, so that a
-- caller whose clock lags loses no state.
local now, grace = tonumber(ARGV[1]), 60000
if not now then
  local t = redis.call('TIME')
  now, grace = tonumber(t[1]) * 1000000 + tonumber(t[2]), 0
end
local inc, inc_rem = tonumber(ARGV[2]), tonumber(ARGV[3])
local tol, tol_rem, den = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

local tat, rem = now, 0
local state = redis.call('GET', KEYS[1])
if state then
  local a, b, d = string.match(state, '^(%d+) (%d+) (%d+)$')
  a, b, d = tonumber(a), tonumber(b), tonumber(d)
  -- A state of another quota has another denominator: its fraction rounds up, against the caller.
  if d ~= den and b > 0 then a, b = a + 1, 0 end
  if a >= now then tat, rem = a, b end
end

local new, new_rem = tat + inc, rem + inc_rem
if new_rem >= den then new, new_rem = new + 1, new_rem - den end
local limit, limit_rem = now + tol, tol_rem
local allowed = new < limit or (new == limit and new_rem <= limit_rem)

if allowed then
  tat, rem = new, new_rem
  if ARGV[7] == '1' and (inc > 0 or inc_rem > 0) then
    local ttl = math.ceil((tat - now + 1) / 1000) + grace
    redis.call('SET', KEYS[1], string.format('%.0f %.0f %.0f', tat, rem, den),
      'PX', string.format('%.0f', ttl))
  end
end

-- What is left of the tolerance after this decision, and how long until the cost would fit.
local slack, slack_rem = limit - tat, limit_rem - rem
if slack_rem < 0 then slack, slack_rem = slack - 1, slack_rem + den end
local wait = 0
if not allowed then
  wait = new - limit
  if new_rem > limit_rem then wait = wait + 1 end
end
return { allowed and 1 or 0, slack, slack_rem, wait }
