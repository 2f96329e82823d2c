-- Sends orders that nobody has sent before. Arguments: the file with the body, the text in it that stands for the number
-- of the order, the part of the number that is this run's own, the text that stands for hexadecimal digits in no order
-- (or nothing), then headers such as "Content-Type: text/xml".
-- Each is as long as the text in whose place it goes, so the message is put together once and cut there.
local parts, scattered, own, digits, spread, count = {}, {}, "", 0, 0, 0

local function cut(message, place)
   local pieces, from = {}, 1
   local first, last = message:find(place, from, true)
   while first do
      pieces[#pieces + 1] = message:sub(from, first - 1)
      from = last + 1
      first, last = message:find(place, from, true)
   end
   pieces[#pieces + 1] = message:sub(from)
   return pieces
end

function init(arguments)
   local body = assert(io.open(arguments[1], "rb"))
   local place = arguments[2]
   own = arguments[3]
   digits = #place - #own
   spread = #arguments[4]
   math.randomseed(tonumber(own, 16))
   wrk.method = "POST"
   wrk.body = body:read("*a")
   body:close()
   for index = 5, #arguments do
      local name, value = arguments[index]:match("^([^:]+): (.*)$")
      wrk.headers[name] = value
   end
   parts = cut(wrk.format(), place)
   if spread > 0 then
      for index, part in ipairs(parts) do
         scattered[index] = cut(part, arguments[4])
      end
   end
end

local function in_no_order()
   local found = {}
   for index = 1, math.ceil(spread / 6) do
      found[index] = string.format("%06x", math.random(0, 0xffffff))
   end
   return table.concat(found):sub(1, spread)
end

function request()
   count = count + 1
   local number = own .. string.format("%0" .. digits .. "d", count)
   if spread == 0 then
      return table.concat(parts, number)
   end
   local text, joined = in_no_order(), {}
   for index, pieces in ipairs(scattered) do
      joined[index] = table.concat(pieces, text)
   end
   return table.concat(joined, number)
end

function done(summary, latency)
   local failed = summary.errors
   io.write(string.format(
      'summary: {"requests": %d, "microseconds": %d, "bytes": %d, "connect": %d, "read": %d, "write": %d, '
         .. '"status": %d, "timeout": %d, "p50": %.3f, "p99": %.3f}\n',
      summary.requests, summary.duration, summary.bytes, failed.connect, failed.read, failed.write,
      failed.status, failed.timeout, latency:percentile(50), latency:percentile(99)))
end
