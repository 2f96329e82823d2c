-- Orders without end, each with a transactionId of its own. Arguments: prefix of the ids, body with @ in their place,
-- then headers such as "Content-Type: text/xml".
local count, prefix, before, after = 0, nil, nil, nil

function init(arguments)
   prefix = arguments[1]
   before, after = arguments[2]:match("^(.*)@(.*)$")
   for index = 3, #arguments do
      local name, value = arguments[index]:match("^([^:]+): (.*)$")
      wrk.headers[name] = value
   end
end

function request()
   count = count + 1
   return wrk.format("POST", "/v1/sales", wrk.headers, before .. prefix .. count .. after)
end

function done(summary)
   local failed = summary.errors
   io.write(string.format(
      'summary: {"answered": %d, "connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}\n',
      summary.requests, failed.connect, failed.read, failed.write, failed.status, failed.timeout))
end
