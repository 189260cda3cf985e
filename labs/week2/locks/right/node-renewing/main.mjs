// The order service with plain commands, and a watchdog that renews the lease while the sale runs.

import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'redis';

const { PORT, REDIS_URL, ORIGIN_URL } = process.env;
const TTL = Number(process.env.LOCK_TTL_MS);
const WAIT = Number(process.env.WAIT_MS);

const db = createClient({ url: REDIS_URL });
db.on('error', (error) => console.error(`redis: ${error.message}`)); // the client reconnects by itself
await db.connect();

/** No lock in time, or too late with it. */
class Busy extends Error {}

const lockKey = (item) => `sale:{${item}}:lock`;
const fenceKey = (item) => `sale:{${item}}:fence`;

// Compare and act in one step: between two, the lock could change hands.
const ifMine = (action) => `
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return ${action}
end
return 0`;
const RELEASE = ifMine(`redis.call('DEL', KEYS[1])`);
const RENEW = ifMine(`redis.call('PEXPIRE', KEYS[1], ARGV[2])`);

/** One attempt to take the lock: its fencing token, or undefined. */
async function attempt(item, owner) {
  const taken = await db.set(lockKey(item), owner, { condition: 'NX', expiration: { type: 'PX', value: TTL } });
  if (!taken) return undefined;
  // The token is drawn after the lock was taken. Was the lock still ours then? Ask after drawing: if it
  // is ours now, it was all the time, and every later holder draws a higher token.
  const [token, holder] = await Promise.all([db.incr(fenceKey(item)), db.get(lockKey(item))]);
  return holder === owner ? token : undefined;
}

/** The fencing token of the lock, once it is ours. */
async function acquire(item, owner) {
  const deadline = performance.now() + WAIT;
  for (let longest = 5; ; longest = Math.min(longest * 2, 80)) {
    const token = await attempt(item, owner).catch((error) => {
      throw new Busy(error.message); // no Redis, no lock
    });
    if (token) return token;
    const pause = longest * (0.5 + Math.random() / 2);
    if (performance.now() + pause >= deadline) throw new Busy('waited too long');
    await sleep(pause);
  }
}

/** Renews until stopped, or until the lock turns out to be lost. A paused process renews nothing. */
function watchdog(item, owner, lost) {
  const timer = setInterval(async () => {
    try {
      if (!(await db.eval(RENEW, { keys: [lockKey(item)], arguments: [owner, String(TTL)] }))) lost.abort(new Busy('lost'));
    } catch (error) {
      lost.abort(new Busy(error.message)); // cannot tell any more: as good as lost
    }
  }, TTL / 3);
  return () => clearInterval(timer);
}

/** The answer's JSON. The token goes with reads too: from then on older holders are turned away. */
async function warehouse(method, item, token, body) {
  const answer = await fetch(`${ORIGIN_URL}/stock/${item}`, {
    method,
    headers: { 'Fencing-Token': String(token), 'Content-Type': 'application/json' },
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  if (answer.status === 409) throw new Busy('stale');
  if (!answer.ok) throw new Error(`warehouse: ${method} ${item}: ${answer.status}`);
  return answer.json();
}

async function sell(item, token, lost) {
  const { stock } = await warehouse('GET', item, token);
  if (stock === 0) return [409, { sold: false }];
  lost.throwIfAborted(); // saves a call; it is the warehouse that decides
  await warehouse('PUT', item, token, { stock: stock - 1 });
  return [200, { sold: true, left: stock - 1 }];
}

async function buy(item) {
  const owner = randomBytes(16).toString('hex');
  try {
    const token = await acquire(item, owner);
    const lost = new AbortController();
    const stopRenewing = watchdog(item, owner, lost);
    try {
      return await sell(item, token, lost.signal);
    } finally {
      stopRenewing();
    }
  } catch (error) {
    if (error instanceof Busy) return [503, { error: 'busy' }];
    return [502, { error: error.message }];
  } finally {
    // Also when the lock was never seen: the reply that brought it may have been lost.
    await db.eval(RELEASE, { keys: [lockKey(item)], arguments: [owner] }).catch(() => {}); // else the expiry does it
  }
}

async function route(request) {
  if (request.method === 'GET' && request.url === '/healthz') return [200, { ready: (await db.ping()) === 'PONG' }];
  const item = request.method === 'POST' && request.url.match(/^\/buy\/([^/?]+)$/)?.[1];
  return item ? buy(item) : [404, { error: 'not found' }];
}

createServer(async (request, response) => {
  request.resume();
  const [status, body] = await route(request).catch((error) => [500, { error: error.message }]);
  const data = JSON.stringify(body);
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(data) });
  response.end(data);
}).listen(Number(PORT), '127.0.0.1', 511);
