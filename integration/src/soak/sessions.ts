/**
 * `sessions.js serve PORT` and `sessions.js connect ADDRESS PORT COUNT`: many TCP connections, each of which says something, hears it
 * again and is closed; some are reset. The client ends with an error when one does not hear what it said.
 */
import { connect, createServer } from 'node:net';

/** Connections at a time. */
const AT_ONCE = 20;
/** Of so many connections one is reset. */
const RESET_EVERY = 7;
const CONNECTION_MS = 15_000;

function serve(port: number): void {
  createServer((socket) => {
    socket.on('error', () => undefined).pipe(socket);
  }).listen(port, '::', () => process.stdout.write('listening\n'));
}

function session(address: string, port: number, number: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const said = `session ${number}`;
    let heard = '';
    const socket = connect(port, address, () => socket.write(said));
    const fail = (reason: string): void => {
      reject(new Error(`session ${number}: ${reason} after ${heard.length} bytes`));
    };
    socket.setTimeout(CONNECTION_MS, () => {
      fail('silence');
    });
    socket.setEncoding('utf8').on('data', (text: string) => {
      heard += text;
      if (heard.length < said.length) return;
      if (heard !== said) fail('something else was heard');
      else resolve();
      if (number % RESET_EVERY === 0) socket.resetAndDestroy();
      else socket.end();
    });
    socket.on('error', (error) => {
      fail(error.message);
    });
  });
}

async function connectAll(address: string, port: number, count: number): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) await session(address, port, next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

const [role, ...args] = process.argv.slice(2);
if (role === 'serve') serve(Number(args[0]));
else await connectAll(args[0], Number(args[1]), Number(args[2]));
