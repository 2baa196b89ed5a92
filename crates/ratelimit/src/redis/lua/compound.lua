-- Several GCRA limits at once: all are charged or none is. Every key must live in one hash slot.
-- KEYS[i]; ARGV: now_us ('' = server's clock), spend, then inc_us, inc_rem, tol_us, tol_rem, den for each key.
-- Reply: allowed, blocker (1-based, 0 = none; the one with the longest wait), wait_us, then for each
-- part slack_us, slack_rem: what is left of its tolerance after this decision.
-- Keys expire by the server's clock: one that is told the time lives a minute longer, so that a
-- caller whose clock lags loses no state.
local now, grace = tonumber(ARGV[1]), 60000
if not now then
  local t = redis.call('TIME')
  now, grace = tonumber(t[1]) * 1000000 + tonumber(t[2]), 0
end
-- The state of each distinct key before this call, and after the parts so far: one may come twice.
local before, after = {}, {}
local blocker, longest = 0, -1
for i, key in ipairs(KEYS) do
  local at = 3 + (i - 1) * 5
  local inc, inc_rem = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  local tol, tol_rem = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local den = tonumber(ARGV[at + 4])
  local tat, rem, old = now, 0, den
  if after[key] then
    tat, rem, old = after[key][1], after[key][2], after[key][3]
  else
    local state = redis.call('GET', key)
    if state then
      local a, b, d = string.match(state, '^(%d+) (%d+) (%d+)$')
      a, b, d = tonumber(a), tonumber(b), tonumber(d)
      if a >= now then tat, rem, old = a, b, d end
    end
    before[key] = { tat, rem, old }
  end
  -- A state of another quota has another denominator: its fraction rounds up, against the caller.
  if old ~= den and rem > 0 then tat, rem = tat + 1, 0 end
  local new, new_rem = tat + inc, rem + inc_rem
  if new_rem >= den then new, new_rem = new + 1, new_rem - den end
  local limit = now + tol
  if new > limit or (new == limit and new_rem > tol_rem) then
    local wait = new - limit
    if new_rem > tol_rem then wait = wait + 1 end
    if wait > longest then blocker, longest = i, wait end
  end
  after[key] = { new, new_rem, den }
end
if blocker == 0 and ARGV[2] == '1' then
  for key, state in pairs(after) do
    if state[1] >= now then
      local ttl = math.ceil((state[1] - now + 1) / 1000) + grace
      redis.call('SET', key, string.format('%.0f %.0f %.0f', state[1], state[2], state[3]),
        'PX', string.format('%.0f', ttl))
    end
  end
end
local reply = { blocker == 0 and 1 or 0, blocker, blocker == 0 and 0 or longest }
for i, key in ipairs(KEYS) do
  local at = 3 + (i - 1) * 5
  local den = tonumber(ARGV[at + 4])
  local tat, rem, old = unpack(blocker == 0 and after[key] or before[key])
  if old ~= den and rem > 0 then tat, rem = tat + 1, 0 end
  local slack, slack_rem = now + tonumber(ARGV[at + 2]) - tat, tonumber(ARGV[at + 3]) - rem
  if slack_rem < 0 then slack, slack_rem = slack - 1, slack_rem + den end
  reply[2 * i + 2], reply[2 * i + 3] = slack, slack_rem
end
return reply
