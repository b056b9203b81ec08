/** `vrouter store`: moves a cluster's configuration from one store to another. */
import { Argument, type Command } from 'commander';
import type { StoreCopyDump } from '../control/host-dumps.js';
import { json } from './columns.js';
import { Exit, STATUS } from './exit.js';
import type { CommonOptions, Surroundings } from './tool.js';
import { readDocuments } from './vrouter-documents.js';

export interface StoreArgs {
  readonly op: 'storeCopy';
  /** URL of a store, or a configuration file of vrouterd. */
  readonly to: string;
  readonly prefix?: string;
  readonly force?: true;
}

/** Adds arguments and options of `vrouter store` to its command. */
export function addStore(spec: Command, hand: (request: CommonOptions & StoreArgs) => void): void {
  spec
    .addArgument(new Argument('<what>', 'copy').choices(['copy']))
    .requiredOption(
      '--to <store>',
      'URL of the store, or a configuration file of vrouterd whose `redis` says where it is',
    )
    .option('--prefix <text>', 'start of every key there (default: as the file says, else as here)')
    .option('--force', 'replace the configuration that is there')
    .action((_: string, options: CommonOptions & Omit<StoreArgs, 'op'>) => {
      hand({ op: 'storeCopy', ...options });
    });
}

export async function storeCopy(request: CommonOptions & StoreArgs, { connect, read }: Surroundings): Promise<string> {
  const { to, force = false, socket } = request;
  const target = to.includes('://') ? { to } : await targetOf(to, read);
  const prefix = request.prefix ?? target.prefix;
  const done = await connect(socket).copyStore({ to: target.to, force, ...(prefix !== undefined && { prefix }) });
  return request.json ? json(done) : formatCopy(done);
}

/** What a configuration file says of its store. */
async function targetOf(file: string, read: Surroundings['read']): Promise<{ to: unknown; prefix?: string }> {
  const [config] = await readDocuments([file], read);
  const { redis, redisPrefix } = config as { readonly redis?: unknown; readonly redisPrefix?: unknown };
  if (redis === undefined || redis === 'embedded') {
    throw new Exit(
      STATUS.refused,
      `${file}: redis names no store; write its URL, or give it with --to redis://HOST:PORT`,
    );
  }
  return { to: redis, ...(typeof redisPrefix === 'string' && { prefix: redisPrefix }) };
}

const formatCopy = ({ to, prefix, keys, objects }: StoreCopyDump): string =>
  `${objects} objects in ${keys} keys copied to ${to}, prefix ${prefix}\n`;
