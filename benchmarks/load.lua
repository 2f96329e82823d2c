-- Sends one fixed request over and over. Arguments: the file with the body, then headers such as "Content-Type: text/xml".
-- There is no function for responses: calling one for each answer would make the load generator the limit.
function init(arguments)
   local body = assert(io.open(arguments[1], "rb"))
   wrk.method = "POST"
   wrk.body = body:read("*a")
   body:close()
   for index = 2, #arguments do
      local name, value = arguments[index]:match("^([^:]+): (.*)$")
      wrk.headers[name] = value
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
