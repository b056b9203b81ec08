/** Opens what serves frames to others: HTTP, and sockets of other tools. */
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';

import type { EmitSink } from './emit.js';
import type { OpenFiles } from './file-sinks.js';
import { refusal } from './refusal.js';
import type { HttpArgs, ServiceArgs } from './service-args.js';
import type { Session } from './session.js';

/** What was opened. */
export interface Services {
  /** Ends streams and captures. Other sinks end with the session, before or after this. */
  close(): Promise<void>;
}

/** Throws Exit when something cannot be opened; nothing is left open then. `written` are the files the session writes. */
export async function openServices(
  { http, emit }: ServiceArgs,
  session: Session,
  progress: (line: string) => void,
  written: OpenFiles,
): Promise<Services> {
  const endings: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const end of endings.splice(0).reverse()) await end();
  };
  try {
    if (emit.length > 0) endings.push(await openEmitters(emit, session, progress));
    if (http) endings.push(await serve(http, session, progress, written));
  } catch (error) {
    await close();
    throw error;
  }
  return { close };
}

async function openEmitters(
  targets: ServiceArgs['emit'],
  session: Session,
  progress: (line: string) => void,
): Promise<() => Promise<void>> {
  // What sends is loaded only for this.
  const [emit, { openEmitPort }] = await Promise.all([import('./emit.js'), import('./emit-port.js')]);
  const sinks: EmitSink[] = [];
  for (const target of targets) {
    const port = await openEmitPort(target).catch((error: unknown) => {
      for (const sink of sinks) sink.close();
      throw refusal(`cannot send to ${target.url}`, error);
    });
    sinks.push(new emit.EmitSink(target, port, progress));
  }
  for (const sink of sinks) session.addSink(sink);
  return async () => {
    for (const sink of sinks) {
      session.removeSink(sink);
      sink.close();
      await sink.done;
      progress(sink.summary);
    }
  };
}

async function serve(
  args: HttpArgs,
  session: Session,
  progress: (line: string) => void,
  written: OpenFiles,
): Promise<() => Promise<void>> {
  const [{ Captures }, { createHttpServer }, { loadToken }] = await Promise.all([
    import('./captures.js'),
    import('./http-server.js'),
    import('./token.js'),
  ]);
  const { address, port, tokenFile, tls } = args;
  const captures = new Captures(args.captures, session, { isWritten: written.has });
  try {
    const { token, isNew } = await loadToken(tokenFile);
    const pair = tls && { cert: await readFile(tls.cert), key: await readFile(tls.key) };
    const app = createHttpServer({ token, captures, source: session, tell: progress, ...(pair && { tls: pair }) });
    const url = await app.listen({ host: address, port });
    progress(`serving ${url}/v1/captures and ${url}/v1/stream`);
    if (tokenFile === undefined) progress(`token: ${token}`);
    else if (isNew) progress(`a new token is in ${tokenFile}`);
    if (!tls && !isLoopback(address))
      progress('the token crosses the network in the clear: use --tls-cert and --tls-key');
    return async () => {
      captures.close();
      await app.close();
    };
  } catch (error) {
    throw refusal(`cannot serve HTTP at ${address} port ${port}`, error);
  }
}

const isLoopback = (address: string): boolean =>
  address === 'localhost' || address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
