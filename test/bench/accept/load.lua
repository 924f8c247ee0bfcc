-- What wrk sends: the prepared requests of a file in turn, each as it stands; and, at the end, its figures as one line of JSON.
-- File: for each request its length in bytes on a line, then the bytes.
local requests = {}
local at = 0

function init(args)
  local file = assert(io.open(args[1], "rb"))
  for line in file:lines() do
    requests[#requests + 1] = file:read(tonumber(line))
  end
  file:close()
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"failed":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
