/* CreateOrder on the package soap of Node.js, which reads the contract and validates nothing by its schema.
 *
 * Arguments: the port of 127.0.0.1, the WSDL, and whether answers are sent in chunks ("chunks") or whole ("whole").
 */
'use strict';

const { randomBytes } = require('node:crypto');
const { readFileSync } = require('node:fs');
const http = require('node:http');
const soap = require('soap');

const SYMBOLS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

function createOrder(order) {
  const chance = randomBytes(41);
  const orderId = chance.toString('hex', 25);
  let ticket = '';
  for (let index = 0; index < 25; index += 1) {
    ticket += (index > 0 && index % 5 === 0 ? '-' : '') + SYMBOLS[chance[index] & 31];
  }
  // One line is no list.
  const lines = Array.isArray(order.orderLine) ? order.orderLine : [order.orderLine];
  const license = lines.map(({ itemNumber, quantity }, place) => ({
    licenseId: `${orderId}-${place + 1}`,
    itemNumber,
    quantity,
  }));
  return { receipt: { orderId, ticket, license } };
}

const [port, wsdl, sending] = process.argv.slice(2);
const server = http.createServer();
// A connection is kept for as long as the load lasts.
server.keepAliveTimeout = 600000;
server.maxRequestsPerSocket = 0;
soap.listen(server, {
  path: '/v1/sales',
  services: { SalesService: { SalesSoap11: { CreateOrder: createOrder } } },
  xml: readFileSync(wsdl, 'utf8'),
  uri: wsdl,
  enableChunkedEncoding: sending === 'chunks',
  suppressStack: true,
  callback(error) {
    if (error) {
      throw error;
    }
    server.listen(Number(port), '127.0.0.1', 1024);
  },
});
