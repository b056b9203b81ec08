/** `send-frames.js HEX...`: sends frames out of `eth0` of the namespace it runs in, one after the other. */
import { writeSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { listLinks, openPacketSocket } from 'packet-io';

function send(frames: readonly string[]): void {
  const eth0 = listLinks().find(({ name }) => name === 'eth0');
  if (!eth0) throw new Error('there is no eth0');
  const fd = openPacketSocket(eth0.ifindex, { vnetHeader: false });
  for (const frame of frames) writeSync(fd, Buffer.from(frame, 'hex'));
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) send(process.argv.slice(2));
