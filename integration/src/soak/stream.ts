/**
 * `stream.js receive PORT` and `stream.js send ADDRESS PORT RATE`: a TCP connection that never ends, whose every byte is known to both
 * sides. Each writes one line of JSON a second, `{"bytes": N}`, and ends with an error on the first wrong byte or when the
 * connection breaks.
 */
import { createHash } from 'node:crypto';
import { connect, createServer, type Socket } from 'node:net';
import { sleep } from '../lab/process.js';

/** Bytes after which the stream repeats itself: a prime, so that no lost or doubled segment goes unnoticed. */
const PERIOD = 1_000_003;
const PORTION_MS = 20;

/** SHA-256 in counter mode. Twice the period, so that every piece up to a period long lies in it in one part. */
const stream = Buffer.concat(
  Array.from({ length: Math.ceil(PERIOD / 32) }, (_, i) => createHash('sha256').update(String(i)).digest()),
).subarray(0, PERIOD);
const twice = Buffer.concat([stream, stream]);

let total = 0;
setInterval(() => process.stdout.write(`${JSON.stringify({ bytes: total })}\n`), 1000);

function fail(reason: string): never {
  process.stderr.write(`${reason} after ${total} bytes\n`);
  process.exit(1);
}

function watchEnd(socket: Socket): void {
  socket.on('error', (error) => fail(error.message));
  socket.on('close', () => fail('the connection was closed'));
}

function receive(port: number): void {
  createServer((socket) => {
    watchEnd(socket);
    socket.on('data', (data) => {
      for (let at = 0; at < data.length;) {
        const part = data.subarray(at, at + PERIOD);
        const from = total % PERIOD;
        if (Buffer.compare(part, twice.subarray(from, from + part.length)) !== 0) fail('wrong bytes came');
        total += part.length;
        at += part.length;
      }
    });
  }).listen(port, '::', () => process.stdout.write('listening\n'));
}

async function send(address: string, port: number, rate: number): Promise<void> {
  const socket = connect(port, address);
  watchEnd(socket);
  const portion = Math.ceil((rate * PORTION_MS) / 1000);
  for (;;) {
    const from = total % PERIOD;
    const flows = socket.write(twice.subarray(from, from + portion));
    total += portion;
    if (!flows) await new Promise((resolve) => socket.once('drain', resolve));
    await sleep(PORTION_MS);
  }
}

const [role, ...args] = process.argv.slice(2);
if (role === 'receive') receive(Number(args[0]));
else await send(args[0], Number(args[1]), Number(args[2]));
