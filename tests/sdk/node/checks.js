// What the Node script needs: promises that are checked one by one, and the mock's side of the story.

const { once } = require('node:events');
const net = require('node:net');
const { inspect: shown, isDeepStrictEqual } = require('node:util');
const { randomUUID } = require('node:crypto');

const KEY = 'sk-checks';

// A check takes well under a second; one that still runs after this hangs, and its script ends there.
const LONGEST_MS = 60_000;

// A value in one line.
const inspect = (value) => shown(value, { breakLength: Infinity, compact: 9, depth: 3 }).slice(0, 300);

// A promise that was not kept.
class Failed extends Error {}

// The checks of one SDK, in the order in which they are written.
class Checks {
  constructor(sdk) {
    this.sdk = sdk;
    this.checks = [];
  }

  add(promise, check) {
    this.checks.push([promise, check]);
  }

  // Prints a line for each check. What fails is told; it does not keep the others from running.
  async run() {
    for (const [promise, check] of this.checks) {
      const watchdog = setTimeout(() => {
        console.log(`hangs in ${this.sdk}: ${promise}`);
        process.exit(2);
      }, LONGEST_MS);
      try {
        await check();
        console.log(`ok ${this.sdk}: ${promise}`);
      } catch (error) {
        const what = error instanceof Failed ? error.message : `expected no error at ${line(error)}, got ${named(error)}`;
        console.log(`FAIL ${this.sdk}: ${promise}: ${what}`);
      }
      clearTimeout(watchdog);
    }
  }
}

// One value is as it should be.
function same(what, got, wanted) {
  if (!isDeepStrictEqual(got, wanted)) throw new Failed(`expected ${what} ${inspect(wanted)}, got ${inspect(got)}`);
}

// Something holds of a value.
function yes(what, holds, got) {
  if (!holds) throw new Failed(`expected ${what}, got ${inspect(got)}`);
}

// The call fails with exactly this class, with these properties. Resolves to the error.
async function raises(kind, properties, call) {
  let answer;
  try {
    answer = await call();
  } catch (error) {
    if (error.constructor !== kind) throw new Failed(`expected ${kind.name}, got ${named(error)}`);
    for (const [name, wanted] of Object.entries(properties)) same(`${kind.name}.${name}`, error[name], wanted);
    return error;
  }
  throw new Failed(`expected ${kind.name}, got ${inspect(answer)}`);
}

function named(error) {
  const cause = error.cause ? ` (${error.cause.code ?? error.cause.message})` : '';
  return `${error.constructor.name}: ${error.message}${cause}`;
}

// The line of the check, not that of the package below it.
function line(error) {
  const frames = error.stack.split('\n').map((frame) => frame.match(/(\w+_checks\.js:\d+)/)?.[1]);
  return frames.find(Boolean) ?? 'a place unknown';
}

// The options of a request that asks the mock for a fault.
function fault(name) {
  return { headers: { 'x-mock-fault': name } };
}

// A name by which a request is found in the ledger, and the options that give it.
function tagged(fault) {
  const id = randomUUID();
  return [id, { headers: { 'x-client-request-id': id, ...(fault && { 'x-mock-fault': fault }) } }];
}

// A running mock, seen from its control routes.
class Mock {
  constructor(variable) {
    this.url = process.env[variable];
  }

  // The next requests get this fault, whatever they ask for.
  async queue(fault, count) {
    await this.call('/__admin/faults', { method: 'POST', body: JSON.stringify({ fault, count }) });
  }

  // What the ledger has of a request: the number and the status of each attempt, in order.
  async attempts(request) {
    const { entries } = await this.call(`/__admin/ledger?request_id=${request}`);
    return entries.map((entry) => [entry.attempt, entry.status]);
  }

  async call(path, options = {}) {
    const response = await fetch(this.url + path, { ...options, headers: { 'content-type': 'application/json' } });
    const text = await response.text();
    if (!response.ok) throw new Failed(`expected ${path} to be answered, got ${response.status}: ${text}`);
    return text && JSON.parse(text);
  }
}

// An address where nobody listens any more.
async function refused() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return `http://127.0.0.1:${port}`;
}

module.exports = { Checks, Failed, KEY, Mock, fault, raises, refused, same, tagged, yes };
