-- KEYS: lock. ARGV: owner, time to live in ms. A request that comes twice is granted twice.
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) or redis.call('GET', KEYS[1]) == ARGV[1] then
  return 1
end
return 0
