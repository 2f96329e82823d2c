-- Sends requests in turn, over and over. Arguments: the file with their bodies, each behind a line with its length in
-- bytes, then headers such as "Content-Type: text/xml". The messages are put together once, before the first is sent.
-- There is no function for responses: calling one for each answer would make the load generator the limit.
function init(arguments)
   local file, messages = assert(io.open(arguments[1], "rb")), {}
   wrk.method = "POST"
   for index = 2, #arguments do
      local name, value = arguments[index]:match("^([^:]+): (.*)$")
      wrk.headers[name] = value
   end
   local length = file:read("*l")
   while length do
      wrk.body = file:read(tonumber(length))
      messages[#messages + 1] = wrk.format()
      length = file:read("*l")
   end
   file:close()
   -- With one body it is left to wrk, which asks nobody then.
   if #messages > 1 then
      local last, count = 0, #messages
      function request()
         last = last % count + 1
         return messages[last]
      end
   end
end

function done(summary, latency)
   local failed = summary.errors
   io.write(string.format(
      'summary: {"requests": %d, "microseconds": %d, "bytes": %d, "connect": %d, "read": %d, "write": %d, '
         .. '"status": %d, "timeout": %d, "p50": %.3f, "p99": %.3f}\n',
      summary.requests, summary.duration, summary.bytes, failed.connect, failed.read, failed.write,
      failed.status, failed.timeout, latency:percentile(50), latency:percentile(99)))
end
