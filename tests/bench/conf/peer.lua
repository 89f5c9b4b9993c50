-- What nginx does in the rows over Redis: a limit by redis/token_bucket.lua, the gateway's own script, and a cache of bodies. It does less
-- than the gateway: one field about the limit, no RFC 9111, nothing of an answer kept but its body.
local redis = require "nginx.redis"

local LIFE_MS = 3600000
local peer, port, bucket = {}, nil, nil

function peer.set_up(redis_port, bucket_sha)
  port, bucket = redis_port, bucket_sha
end

local function connected()
  local connection = redis:new()
  connection:set_timeout(1000)
  local ok, message = connection:connect("127.0.0.1", port)
  if not ok then
    ngx.log(ngx.ERR, message)
    return ngx.exit(503)
  end
  return connection
end

local function answer_of(connection, answer, message)
  if not answer then
    ngx.log(ngx.ERR, message)
    return ngx.exit(503)
  end
  connection:set_keepalive(60000, 256)
  return answer
end

function peer.limit(n, period_us, burst)
  local connection = connected()
  local key = "peer:rl:" .. period_us .. ":" .. ngx.var.remote_addr
  local answer = answer_of(connection, connection:evalsha(bucket, 1, key, n, period_us, burst, "1"))
  ngx.header["X-RateLimit-Remaining"] = answer[2]
  if answer[1] ~= 1 then
    ngx.header["Retry-After"] = math.ceil(answer[3] / 1000000)
    return ngx.exit(429)
  end
end

function peer.answer_from_cache()
  local connection = connected()
  local key = "peer:cache:" .. ngx.var.request_uri
  connection:init_pipeline(2)
  connection:pttl(key)
  connection:get(key)
  local answer = answer_of(connection, connection:commit_pipeline())
  local body = answer[2]
  if body == ngx.null then
    body = ngx.location.capture("/fetch" .. ngx.var.request_uri).body
    connection = connected()
    answer_of(connection, connection:set(key, body, "PX", LIFE_MS))
    ngx.header["X-Cache"] = "MISS"
  else
    ngx.header["X-Cache"] = "HIT"
    ngx.header["Age"] = math.floor((LIFE_MS - answer[1]) / 1000)
  end
  ngx.header["Content-Type"] = "text/plain"
  ngx.header["Content-Length"] = #body
  ngx.print(body)
end

return peer
