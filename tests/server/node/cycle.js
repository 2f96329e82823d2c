// One library's client asks one operation per line of its input and answers one line of JSON each: the result, or the fault
// as the library has parsed it. `header` names a block that must be understood.
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

const plain = (value) => (value !== null && typeof value === "object" && "$value" in value ? value.$value : value);
const children = (value) => Object.entries(value ?? {}).filter(([name]) => !name.endsWith("attributes"));

function faultOf(error) {
  // Both libraries hang on the error what they have parsed.
  const fault = error.root?.Envelope?.Body?.Fault;
  if (!fault) return { unread: String(error.message) };
  const [element, fields] = children(fault.detail ?? fault.Detail)[0] ?? ["", {}];
  return {
    status: error.response?.status ?? error.response?.statusCode,
    code: plain(fault.faultcode ?? fault.Code.Value),
    subcode: plain(fault.Code?.Subcode?.Value ?? null),
    text: plain(fault.faultstring ?? fault.Reason.Text),
    element,
    detail: Object.fromEntries(children(fields).map(([name, value]) => [name, plain(value)])),
  };
}

async function main() {
  const clients = { sales: await opened("sales"), depot: await opened("depot") };
  console.log(JSON.stringify({ ready: true }));
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { service, operation, given, header } = JSON.parse(line);
    const name = service[0].toUpperCase() + service.slice(1);
    const port = clients[service][`${name}Service`][`${name}Soap${version}`];
    clients[service].clearSoapHeaders();
    if (header) clients[service].addSoapHeader(`<x:${header.name} xmlns:x="${header.namespace}" soap:mustUnderstand="1"/>`);
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
