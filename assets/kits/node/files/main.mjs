// {{title}}: your program for {{unit}}.
//
// README.md holds the contract. Find "Your code here" below; then run: cachelab check

import { createServer } from 'node:http';
import { createClient } from 'redis';

const PORT = Number(process.env.PORT); // listen here, on 127.0.0.1
const INSTANCE = process.env.INSTANCE; // which copy of the program this is: 1, 2, 3 …
const ORIGIN_URL = process.env.ORIGIN_URL;
{{variables}}

// One connection for the whole process; it sends what you await side by side as one pipeline.
// db.set('key', 'value', { condition: 'NX', expiration: { type: 'PX', value: 500 } }), db.get('key'), db.eval(…)
const db = createClient({ url: process.env.REDIS_URL });
db.on('error', (error) => console.error(`redis: ${error.message}`)); // it connects again by itself
await db.connect();

/** Asks the origin; gives status and JSON: const [status, answer] = await origin('{{origin-method}}', `{{js-origin-path}}`) */
async function origin(method, path, body, headers) {
  const answer = await fetch(ORIGIN_URL + path, {
    method,
    headers: { 'Content-Type': 'application/json', ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  return [answer.status, await answer.json()];
}

/** GET /healthz: this copy is ready when it can reach Redis. */
async function healthz() {
  return [200, { ready: (await db.ping()) === 'PONG' }];
}

{{handlers}}

// Every function gets the request (request.headers, request.query, request.body) and the parts of the path.
const ROUTES = [
  ['GET', /^\/healthz$/, healthz],
{{routes}}
];

async function answer(request) {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost');
  request.query = searchParams;
  for (const [method, pattern, handler] of ROUTES) {
    const match = method === request.method && pathname.match(pattern);
    if (match) return handler({ ...match.groups, request });
  }
  return [404, { error: `nothing at ${request.method} ${pathname}` }];
}

createServer(async (request, response) => {
  let text = '';
  for await (const chunk of request) text += chunk;
  request.body = text;
  const [status, body] = await answer(request).catch((error) => {
    console.error(error); // cachelab shows what the program prints
    return [500, { error: error.message }];
  });
  const data = JSON.stringify(body);
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(data) });
  response.end(data);
}).listen(PORT, '127.0.0.1', 511);
