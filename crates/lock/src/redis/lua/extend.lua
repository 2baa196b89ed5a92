-- KEYS: lease. ARGV: owner, time to live in ms. Never shortens; -1 left is for ever.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {0, 0}
end
local left = redis.call('PTTL', KEYS[1])
if left >= 0 and left < tonumber(ARGV[2]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  left = tonumber(ARGV[2])
end
return {1, left}
