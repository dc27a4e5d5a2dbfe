-- One decision of the governor, taken whole: nothing else runs in Redis meanwhile.
-- KEYS: 1 calls (when each granted call was made), 2 queue (waiting tickets by rank), 3 alive (until when each waiting
--       ticket is believed), 4 leases (until when each holder is believed), 5 nonces (which grant a holder has),
--       6 penalty (until when nobody may call), 7 counter, 8 held (usual seconds between grant and release),
--       9 flows (the next tag of each flow), 10 virtual (the tag of what was granted last), 11 spent (seconds that calls
--       took, by when they ended)
-- ARGV: 1 verb, 2 now or "" for the server's clock, 3 ticket, 4 per minute, 5 per hour, 6 concurrency, 7 lease seconds,
--       8 ticket seconds, 9 priority, 10 calls that one step of priority is worth, 11 nonce or seconds, 12 flow,
--       13 seconds that all calls of 15 minutes may take, 14 seconds by which windows are longer than the service's,
--       15 seconds of the service's minute
-- A limit of 0 means none. Times are epoch seconds. Numbers are returned as text: Redis would cut their fractions.
local calls, queue, alive, leases, nonces, penalty, counter, held, flows, virtual, spent = unpack(KEYS)
local verb, ticket, flow = ARGV[1], ARGV[3], ARGV[12]
local step, cpu_budget = tonumber(ARGV[9]) * tonumber(ARGV[10]), tonumber(ARGV[13])
local slack, minute = tonumber(ARGV[14]), tonumber(ARGV[15])
local per_minute, per_hour, concurrency = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local lease_seconds, ticket_seconds = tonumber(ARGV[7]), tonumber(ARGV[8])
local now = tonumber(ARGV[2])
if not now then
  local clock = redis.call('TIME')
  now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
end
local EVER = 7200
local ASK_AGAIN = 60
local CYCLE = 900
local MANY_FLOWS = 200

local function text(number) return string.format('%.6f', number) end

local function number_at(key) return tonumber(redis.call('GET', key) or '') or 0 end

local function keep(key, seconds) redis.call('PEXPIRE', key, math.ceil(math.max(seconds, 1) * 1000)) end

local function forget_the_dead()
  redis.call('ZREMRANGEBYSCORE', calls, '-inf', text(now - 3600 - slack))
  redis.call('ZREMRANGEBYSCORE', spent, '-inf', text(now - CYCLE))
  for _, dead in ipairs(redis.call('ZRANGEBYSCORE', alive, '-inf', text(now))) do
    redis.call('ZREM', alive, dead)
    redis.call('ZREM', queue, dead)
  end
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', text(now))) do
    redis.call('ZREM', leases, gone)
    redis.call('HDEL', nonces, gone)
  end
end

-- Seconds until a window of that length has room for the call that `ahead` others precede.
local function window_wait(limit, length, ahead)
  if limit <= 0 then return 0 end
  local used = redis.call('ZCOUNT', calls, '(' .. text(now - length), '+inf')
  local missing = used + ahead + 1 - limit
  if missing <= 0 then return 0 end
  -- A window lets in `limit` calls, so places are free again in rounds of that many: first where calls were made, then
  -- where those ahead are about to make theirs.
  local rounds, place = math.floor((missing - 1) / limit), (missing - 1) % limit
  if place >= used then return (rounds + 1) * length end
  local from = redis.call('ZCARD', calls) - used
  local oldest = redis.call('ZRANGE', calls, from + place, from + place, 'WITHSCORES')
  return math.max(tonumber(oldest[2]) + length - now, 0) + rounds * length
end

-- When each holder of a lease got it, the first first.
local function grants()
  local found = {}
  for _, nonce in ipairs(redis.call('HVALS', nonces)) do
    local at = tonumber(string.match(nonce, '@(.*)$'))
    if at then found[#found + 1] = at end
  end
  table.sort(found)
  return found
end

local function lease_wait(ahead)
  if concurrency <= 0 then return 0 end
  local others = redis.call('ZCARD', leases)
  if redis.call('ZSCORE', leases, ticket) then others = others - 1 end
  local missing = others + ahead + 1 - concurrency
  if missing <= 0 then return 0 end
  -- Until one has ended, half of the service's minute is as good a guess as any.
  local usual = tonumber(redis.call('GET', held) or '') or math.min(lease_seconds, minute / 2)
  -- Leases come back in the order in which they were given, each after the usual time; then those ahead hold them.
  local rounds, place = math.floor((missing - 1) / concurrency), (missing - 1) % concurrency
  local since = grants()[place + 1]
  local left = since and since + usual - now or usual
  -- What should have ended long ago is asked for less and less often.
  if left < usual / 4 then left = math.min(math.max(usual / 4, -left), usual) end
  return math.max(left + rounds * usual, 0.05)
end

-- Seconds until the calls of the last 15 minutes took less than the budget.
local function cpu_wait()
  if cpu_budget <= 0 then return 0 end
  local ended, total, wait = redis.call('ZRANGE', spent, 0, -1, 'WITHSCORES'), 0, 0
  for place = 1, #ended, 2 do total = total + tonumber(string.match(ended[place], '[^|]+$')) end
  for place = 1, #ended, 2 do
    if total < cpu_budget then break end
    total = total - tonumber(string.match(ended[place], '[^|]+$'))
    wait = tonumber(ended[place + 1]) + CYCLE - now
  end
  return wait
end

local function wait_of(ahead)
  local barred = number_at(penalty) - now
  local windows = math.max(window_wait(per_minute, minute + slack, ahead), window_wait(per_hour, 60 * minute + slack, ahead))
  return math.max(barred, windows, cpu_wait(), lease_wait(ahead), 0)
end

-- Start-time fair queueing: each call of a flow has a tag one above the flow's last, and no tag lies before what was
-- granted last. So flows take turns however long each is. A step of priority is worth a number of calls: nobody starves.
-- https://doi.org/10.1145/248157.248171
local function line_up()
  if redis.call('ZSCORE', queue, ticket) then return end
  local turn = redis.call('INCR', counter)
  local tag = math.max(number_at(virtual), tonumber(redis.call('HGET', flows, flow) or '') or 0)
  redis.call('HSET', flows, flow, text(tag + 1))
  redis.call('ZADD', queue, text(tag + step + (turn % 100000) / 1000000), ticket)
  keep(counter, EVER)
  keep(flows, EVER)
end

local function forget_idle_flows(tag)
  if redis.call('HLEN', flows) <= MANY_FLOWS then return end
  local all = redis.call('HGETALL', flows)
  for place = 1, #all, 2 do
    if tonumber(all[place + 1]) <= tag then redis.call('HDEL', flows, all[place]) end
  end
end

local function grant()
  local tag = math.max(math.floor(tonumber(redis.call('ZSCORE', queue, ticket)) - step), number_at(virtual))
  redis.call('ZREM', queue, ticket)
  -- Nobody waits: what flows had before is even.
  if redis.call('ZCARD', queue) == 0 then tag = tag + 1 end
  redis.call('SET', virtual, text(tag))
  keep(virtual, EVER)
  forget_idle_flows(tag)
  redis.call('ZREM', alive, ticket)
  redis.call('ZADD', calls, text(now), ARGV[11])
  redis.call('ZADD', leases, text(now + lease_seconds), ticket)
  redis.call('HSET', nonces, ticket, ARGV[11] .. '@' .. text(now))
  keep(calls, EVER)
  keep(leases, lease_seconds + 60)
  keep(nonces, lease_seconds + 60)
end

local function holds(nonce)
  local found = redis.call('HGET', nonces, ticket)
  return found and string.sub(found, 1, #nonce + 1) == nonce .. '@', found
end

local verbs = {}

function verbs.acquire()
  line_up()
  local ahead = redis.call('ZRANK', queue, ticket)
  local wait = wait_of(ahead)
  if wait <= 0 then
    grant()
    return {'granted', text(now), '0'}
  end
  redis.call('ZADD', alive, text(now + math.min(wait, ASK_AGAIN) + ticket_seconds), ticket)
  keep(queue, wait + ticket_seconds + EVER)
  keep(alive, wait + ticket_seconds + EVER)
  return {'wait', text(wait), tostring(ahead + 1)}
end

function verbs.look()
  local ahead = redis.call('ZRANK', queue, ticket)
  if not ahead then return {'absent', '0', '0'} end
  return {'wait', text(wait_of(ahead)), tostring(ahead + 1)}
end

function verbs.first()
  return redis.call('ZRANGE', queue, 0, tonumber(ARGV[11]) - 1)
end

function verbs.leave()
  redis.call('ZREM', alive, ticket)
  local there = redis.call('ZREM', queue, ticket)
  if there == 1 and redis.call('HEXISTS', flows, flow) == 1 then redis.call('HINCRBYFLOAT', flows, flow, -1) end
  return {'left', '0', tostring(there)}
end

function verbs.renew()
  local mine = holds(ARGV[11])
  local other = redis.call('HEXISTS', nonces, ticket) == 1 and not mine
  if other then return {'lost', '0', '0'} end
  -- A lease that a restart of Redis forgot is written again: its holder is alive, for it asks.
  redis.call('ZADD', leases, text(now + lease_seconds), ticket)
  if not mine then redis.call('HSET', nonces, ticket, ARGV[11] .. '@' .. text(now)) end
  keep(leases, lease_seconds + 60)
  keep(nonces, lease_seconds + 60)
  return {'renewed', '0', '0'}
end

function verbs.release()
  local mine, found = holds(ARGV[11])
  if not mine then return {'lost', '0', '0'} end
  local took = now - (tonumber(string.match(found, '@(.*)$')) or now)
  local before = tonumber(redis.call('GET', held) or '') or took
  redis.call('SET', held, text(math.max(before * 0.8 + took * 0.2, 0.01)))
  if cpu_budget > 0 then
    redis.call('ZADD', spent, text(now), ARGV[11] .. '|' .. text(took))
    keep(spent, CYCLE)
  end
  keep(held, EVER * 12)
  redis.call('ZREM', leases, ticket)
  redis.call('HDEL', nonces, ticket)
  return {'released', text(took), '0'}
end

-- The call has been answered: it counts from now on, for nobody knows when before it reached the service.
function verbs.made()
  if not redis.call('ZSCORE', calls, ARGV[11]) then return {'unknown', '0', '0'} end
  redis.call('ZADD', calls, text(now), ARGV[11])
  return {'made', '0', '0'}
end

function verbs.penalise()
  local seconds = tonumber(ARGV[11])
  local until_then = math.max(now + seconds, tonumber(redis.call('GET', penalty) or '') or 0)
  redis.call('SET', penalty, text(until_then))
  keep(penalty, until_then - now)
  return {'penalised', text(until_then - now), '0'}
end

function verbs.load()
  local used = redis.call('ZCOUNT', calls, '(' .. text(now - minute), '+inf')
  return {tostring(used), tostring(redis.call('ZCOUNT', calls, '(' .. text(now - 60 * minute), '+inf')), tostring(redis.call('ZCARD', leases)),
          tostring(redis.call('ZCARD', queue)),
          text(math.max((tonumber(redis.call('GET', penalty) or '') or 0) - now, 0))}
end

forget_the_dead()
return verbs[verb]()
