import type { Namespace } from './namespace.js';
import { until } from './process.js';

/** A TCP session somebody holds open. */
export interface TcpSession {
  /** Sends a line from the client; resolves when it has arrived. */
  say(line: string): Promise<void>;
  /** Whether a line arrives in time; with `send` false it was sent before. */
  arrives(line: string, timeoutMs: number, send?: boolean): Promise<boolean>;
  /** The client ends the session. */
  close(): Promise<void>;
}

/** Opens a session from `client` to `server` with busybox nc; resolves when a first line has arrived. */
export async function openTcp(
  client: Namespace,
  server: Namespace,
  address: string,
  port: number,
): Promise<TcpSession> {
  const listener = server.spawn(['busybox', 'nc', '-l', '-p', String(port)]);
  await until(`somebody listens on ${port}`, async () => {
    const { stdout } = await server.attempt(['ss', '-Hltn', `sport = :${port}`]);
    return stdout === '' ? undefined : true;
  });
  const caller = client.spawn(['busybox', 'nc', address, String(port)]);
  const arrives: TcpSession['arrives'] = async (line, timeoutMs, send = true) => {
    if (send) caller.write(`${line}\n`);
    try {
      await listener.waitFor(new RegExp(`^${line}$`, 'm'), timeoutMs);
      return true;
    } catch {
      return false;
    }
  };
  const say = async (line: string): Promise<void> => {
    if (!(await arrives(line, 10_000))) throw new Error(`"${line}" did not arrive`);
  };
  await say('hello');
  return {
    say,
    arrives,
    close: async () => {
      caller.child.stdin?.end();
      await listener.stop();
      await caller.stop();
    },
  };
}
