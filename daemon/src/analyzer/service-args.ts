/** Options of `vrouter analyzer` about who else gets its frames: readers over HTTP, and other tools. */
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { dirname } from 'node:path';

import { parseEmitTarget, type EmitTarget } from './emit-target.js';

/** Where HTTP is served, and what with. */
export interface HttpArgs {
  readonly address: string;
  readonly port: number;
  /** undefined: the token is a new one. */
  readonly tokenFile: string | undefined;
  /** Folder of captures. */
  readonly captures: string;
  /** PEM files; undefined: HTTP in the clear. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
}

export interface ServiceArgs {
  /** null: HTTP is not served. */
  readonly http: HttpArgs | null;
  readonly emit: readonly EmitTarget[];
}

/** The options as commander has them. */
export interface GivenServices {
  readonly http?: Pick<HttpArgs, 'address' | 'port'>;
  readonly tokenFile?: string;
  readonly captures?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly emit?: readonly EmitTarget[];
}

const LOCALHOST = '127.0.0.1';
const CAPTURES = 'captures';

export const addServiceOptions = (spec: Command): Command =>
  spec
    .option(
      '--emit <url>',
      'send frames on: vxlan://HOST[:PORT][?vni=N], jmirror://, tzsp://, erspan://; may be given several times',
      (text: string, before: readonly EmitTarget[] | undefined) => [...(before ?? []), emitTarget(text)],
    )
    .option('--http <[address:]port>', `serve captures and a live stream over HTTP (address: ${LOCALHOST})`, endpoint)
    .option('--token-file <file>', 'with --http: has the token clients show; made when missing (default: a new token)')
    .option('--captures <folder>', `with --http: its captures (default: the folder of -w, else ./${CAPTURES})`)
    .option('--tls-cert <file>', 'with --http: serve HTTPS with this certificate (PEM)')
    .option('--tls-key <file>', 'with --tls-cert: its key (PEM)');

/** What the options ask for; `write` is the file of -w. */
export function serviceArgs(given: GivenServices, write: string | undefined): ServiceArgs {
  const { tlsCert: cert, tlsKey: key } = given;
  const folder = write === undefined || write === '-' ? CAPTURES : dirname(write);
  return {
    http: given.http
      ? {
          ...given.http,
          tokenFile: given.tokenFile,
          captures: given.captures ?? folder,
          tls: cert === undefined || key === undefined ? undefined : { cert, key },
        }
      : null,
    emit: given.emit ?? [],
  };
}

/** What makes no sense together; '' for nothing. */
export function serviceProblem({ http, tokenFile, captures, tlsCert, tlsKey }: GivenServices): string {
  const alone = Object.entries({ '--token-file': tokenFile, '--captures': captures, '--tls-cert': tlsCert }).find(
    ([, value]) => value !== undefined,
  );
  if (http === undefined && alone !== undefined) return `${alone[0]} goes with --http`;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) return '--tls-cert and --tls-key go together';
  return '';
}

function emitTarget(text: string): EmitTarget {
  try {
    return parseEmitTarget(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

/** `8443`, `192.0.2.1:8443`, `[2001:db8::1]:8443`, `name:8443`. */
function endpoint(text: string): Pick<HttpArgs, 'address' | 'port'> {
  const parts = /^(?:(?:\[([^\]]+)\]|([^:]+)):)?(\d{1,5})$/.exec(text);
  const port = Number(parts?.[3]);
  if (parts === null || port > 0xffff) throw new InvalidArgumentError('Use PORT, ADDRESS:PORT or [ADDRESS]:PORT.');
  const [, inBrackets, plain] = parts as (string | undefined)[];
  return { address: inBrackets ?? plain ?? LOCALHOST, port };
}
