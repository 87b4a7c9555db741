-- What wrk asks: every line of a file is a body. Arguments: the file, then names and values of headers. Wherever a body
-- or a header has eight zeros, each request has another number there: no request id is ever sent twice, and no question
-- that has them. All else is put together before the clock runs.

local MARK = "00000000"
local ready, turn, count = {}, 0, 0

local function cut(whole)
  local parts, from = {}, 1
  local at = whole:find(MARK, from, true)
  while at do
    parts[#parts + 1] = whole:sub(from, at - 1)
    from = at + #MARK
    at = whole:find(MARK, from, true)
  end
  parts[#parts + 1] = whole:sub(from)
  return parts
end

function init(args)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  for at = 2, #args, 2 do wrk.headers[args[at]] = args[at + 1] end
  for body in io.lines(args[1]) do
    count = count + 1
    ready[count] = cut(wrk.format(nil, nil, nil, body))
  end
  -- Another run begins with other numbers: so many a second nobody answers.
  turn = os.time() % 1000 * 100000
end

function request()
  turn = turn + 1
  local parts = ready[turn % count + 1]
  if #parts == 1 then return parts[1] end
  return table.concat(parts, string.format("%08d", turn % 100000000))
end

function done(summary, latency)
  local errors, failed = summary.errors, {}
  for _, kind in ipairs({"connect", "read", "write", "status", "timeout"}) do
    if errors[kind] > 0 then failed[#failed + 1] = string.format('"%s":%d', kind, errors[kind]) end
  end
  io.write(string.format('{"requests":%d,"us":%d,"p50":%d,"p99":%d,"failed":{%s},"cpu":%.3f}\n', summary.requests,
    summary.duration, latency:percentile(50), latency:percentile(99), table.concat(failed, ","), os.clock()))
end
