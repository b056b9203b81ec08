/** `send-datagrams.js ADDRESS:PORT HEX...`: sends UDP datagrams with these payloads, one after the other. */
import { createSocket } from 'node:dgram';
import { pathToFileURL } from 'node:url';

async function send(target: string, payloads: readonly string[]): Promise<void> {
  const parts = /^\[?([^\]]*?)\]?:(\d+)$/.exec(target);
  if (parts === null) throw new Error(`${target} is no ADDRESS:PORT`);
  const [, address, port] = parts;
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  for (const payload of payloads) {
    await new Promise<void>((resolve, reject) => {
      socket.send(Buffer.from(payload, 'hex'), Number(port), address, (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
  }
  socket.close();
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await send(process.argv[2], process.argv.slice(3));
