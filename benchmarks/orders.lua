-- Sends orders that nobody has sent before. Arguments: the file with the body, the text in it that stands for the number
-- of the order, the part of the number that is this run's own, then headers such as "Content-Type: text/xml".
-- The number is as long as the text, so the message is put together once and cut where the number goes.
local parts, own, digits, count = {}, "", 0, 0

function init(arguments)
   local body = assert(io.open(arguments[1], "rb"))
   local place = arguments[2]
   own = arguments[3]
   digits = #place - #own
   wrk.method = "POST"
   wrk.body = body:read("*a")
   body:close()
   for index = 4, #arguments do
      local name, value = arguments[index]:match("^([^:]+): (.*)$")
      wrk.headers[name] = value
   end
   local message, from = wrk.format(), 1
   local first, last = message:find(place, from, true)
   while first do
      parts[#parts + 1] = message:sub(from, first - 1)
      from = last + 1
      first, last = message:find(place, from, true)
   end
   parts[#parts + 1] = message:sub(from)
end

function request()
   count = count + 1
   return table.concat(parts, own .. string.format("%0" .. digits .. "d", count))
end

function done(summary, latency)
   local failed = summary.errors
   io.write(string.format(
      'summary: {"requests": %d, "microseconds": %d, "bytes": %d, "connect": %d, "read": %d, "write": %d, '
         .. '"status": %d, "timeout": %d, "p50": %.3f, "p99": %.3f}\n',
      summary.requests, summary.duration, summary.bytes, failed.connect, failed.read, failed.write,
      failed.status, failed.timeout, latency:percentile(50), latency:percentile(99)))
end
