// One library's client asks one operation per line of its input and answers one line of JSON each.
// Arguments: library (soap or strong-soap), version (11 or 12), URL of the server, shop's key in OPENDEPOT_API_KEY.
"use strict";

const readline = require("node:readline");

const [library, version, url] = process.argv.slice(2);
const key = process.env.OPENDEPOT_API_KEY;

async function opened(service) {
  const place = `${url}/v1/${service}?wsdl`;
  const options = { forceSoap12Headers: version === "12" };
  let client;
  if (library === "soap") {
    client = await require("soap").createClientAsync(place, options);
  } else {
    client = await new Promise((resolve, reject) =>
      require("strong-soap").soap.createClient(place, options, (error, made) => (error ? reject(error) : resolve(made))),
    );
  }
  if (service === "sales") client.addHttpHeader("Authorization", `Bearer ${key}`);
  return client;
}

function faultOf(error) {
  const fault =
    error.root?.Envelope?.Body?.Fault ?? error.result?.Envelope?.Body?.Fault ?? error.Fault ?? error.response?.data ?? null;
  return { fault, message: String(error.message) };
}

async function main() {
  const clients = { sales: await opened("sales"), depot: await opened("depot") };
  console.log(JSON.stringify({ ready: true }));
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { service, operation, given } = JSON.parse(line);
    const name = service[0].toUpperCase() + service.slice(1);
    const port = clients[service][`${name}Service`][`${name}Soap${version}`];
    const answer = await new Promise((resolve) =>
      port[operation](given, (error, result) => resolve(error ? faultOf(error) : { result }), undefined,
        service === "sales" ? { Authorization: `Bearer ${key}` } : {}),
    );
    console.log(JSON.stringify(answer));
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
