import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import { flowAgeing, logLevel, sessions } from './config-flows.js';
import { explain } from './control/explain.js';
import { redisSettings } from './control/redis-connection.js';
import { oneLine } from './control/shown.js';
import { readYaml, YamlError } from './yaml.js';
import { FLOW_ENTRIES, overflowFor } from './tables/flow.js';
import { ENCAPSULATIONS } from './wire/encapsulation.js';

/** Bytes each encapsulation adds to an IP packet of a guest: outer headers and, as networks bridge, the inner Ethernet header. */
const ENCAPSULATION_OVERHEAD = { MPLSoUDP: 46, MPLSoGRE: 42, VXLAN: 50 } as const;

/** Bytes an IPv6 header is longer than that of IPv4. */
const IPV6_SURPLUS = 20;

/** The table is one array of 32-bit words: this many entries, and as many in the overflow, are below 2^32 bytes. */
const MAX_FLOW_ENTRIES = 8_388_608;

const ipAddress = z.union([z.ipv4(), z.ipv6()]);

function isAddressAndPort(text: string): boolean {
  const parts = /^.+:(\d{1,5})$/.exec(text);
  return parts !== null && Number(parts[1]) < 65536;
}

/** The daemon's configuration file. Every field has a default worth having but `tunnel.address`. */
const configFile = z.strictObject({
  host: z.string().min(1).max(253).default(hostname()).describe('Name of this host among the hosts of the cluster'),
  stateDir: z.string().startsWith('/').default('/var/lib/vrouterd').describe('What must outlive a restart'),
  api: z
    .strictObject({
      socket: z.string().startsWith('/').default('/run/vrouterd/vrouterd.sock').describe('Where the tools ask'),
    })
    .prefault({}),
  tunnel: z
    .strictObject({
      address: ipAddress.describe('Address of this host on the underlay'),
      interface: z.string().min(1).max(15).optional().describe('Default: the interface that has the address'),
      encapsulations: z
        .array(z.enum(ENCAPSULATIONS))
        .min(1)
        .default([...ENCAPSULATIONS])
        .describe('In order of preference'),
      mtu: z.int().min(576).max(9216).optional().describe('Default: that of the interface, else 1500'),
      df: z.boolean().default(true).describe('Forbid routers of the underlay to cut tunnel packets into fragments'),
      driver: z
        .enum(['packet', 'raw'])
        .default('packet')
        .describe('How tunnel packets pass; `raw` (GRE over IPv4 alone) for underlays without Ethernet'),
    })
    .refine(({ driver, address }) => driver === 'packet' || !address.includes(':'), {
      path: ['address'],
      error: 'is not an IPv4 address, which the driver raw needs',
    })
    .refine(({ driver, encapsulations }) => driver === 'packet' || String(encapsulations) === 'MPLSoGRE', {
      path: ['encapsulations'],
      error: 'is more than the driver raw can; use [MPLSoGRE]',
    }),
  redis: z
    .union([z.literal('embedded'), redisSettings])
    .default('embedded')
    .describe('`embedded`, or the URL of the store that the hosts of the cluster share'),
  redisPrefix: z.string().min(1).default('vrouter:').describe('Start of every key: one prefix is one cluster'),
  datapath: z
    .strictObject({
      agentRate: z.int().min(1).default(1000).describe('Frames a second an interface may send to the agent'),
      agentBurst: z.int().min(1).default(2000).describe('Frames to the agent at once'),
      flowEntries: z
        .int()
        .min(1024)
        .max(MAX_FLOW_ENTRIES)
        .refine((n) => Number.isInteger(Math.log2(n)), 'is not a power of two; use e.g. 524288')
        .default(FLOW_ENTRIES)
        .describe('Flow entries, two for each session: a power of two'),
      flowOverflow: z
        .int()
        .min(0)
        .max(MAX_FLOW_ENTRIES)
        .optional()
        .describe('Entries more, for where many fall together. Default: a fifth'),
      flowsPerInterface: z
        .int()
        .min(2)
        .optional()
        .describe('Flow entries the traffic of an interface may make that names no number. Default: a quarter'),
      hostInterface: z
        .string()
        .regex(/^[\w.-]{1,15}$/, 'is not a name of an interface')
        .default('vhost0')
        .describe('TAP into the stack of the host'),
      closeOnAnyReset: z.boolean().default(false).describe('Whether every TCP reset ends its session, sound or not'),
    })
    .prefault({})
    .transform((datapath) => ({
      ...datapath,
      flowOverflow: datapath.flowOverflow ?? overflowFor(datapath.flowEntries),
      flowsPerInterface: datapath.flowsPerInterface ?? datapath.flowEntries / 4,
    })),
  flowAgeing: flowAgeing
    .default([])
    .describe('After how long without packets sessions end; 180 s where nothing is said'),
  sessions: sessions.prefault({}).describe('Records of sessions'),
  logLevel: logLevel.optional().describe('Default: LOG_LEVEL of the environment, else info'),
  metrics: z
    .strictObject({ listen: z.string().refine(isAddressAndPort, 'is not ADDRESS:PORT; use e.g. 127.0.0.1:9400') })
    .optional()
    .describe('Where to serve metrics by TCP, besides the socket'),
});

export type Config = z.output<typeof configFile>;

/** A configuration that cannot be used; the message says which field and why. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(message: string, options?: ErrorOptions) {
    super(oneLine(message), options);
  }
}

/** The JSON Schema (draft 2020-12) of the configuration file, for editors and other programs. */
export function configSchema(): unknown {
  const schema = z.toJSONSchema(configFile, { io: 'input' });
  const { host, redis, ...others } = schema.properties as Record<string, { default?: unknown; anyOf: unknown[] }>;
  // What this machine is called is nobody else's default.
  const anyHost = { ...host, default: undefined };
  // A URL alone is turned into settings before they are checked, which a schema cannot say.
  const anyStore = { ...redis, anyOf: [{ type: 'string' }, ...redis.anyOf] };
  return { title: 'vrouterd', ...schema, properties: { host: anyHost, redis: anyStore, ...others } };
}

/** Reads and checks a configuration file. Throws ConfigError. */
export function readConfig(file: string): Config {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ConfigError(`${file}: ${(cause as Error).message}; write it as in config/vrouterd.example.yaml`, {
      cause,
    });
  }
  return parseConfig(text, file);
}

/** Checks the text of a configuration file; `file` is its name in messages. Throws ConfigError. */
export function parseConfig(text: string, file: string): Config {
  const raw = onlyDocument(text, file);
  const result = configFile.safeParse(raw);
  if (result.success) return result.data;
  throw new ConfigError(explain(result.error.issues[0], raw, file).message);
}

function onlyDocument(text: string, file: string): unknown {
  try {
    const documents = readYaml(text);
    if (documents.length > 1) throw new YamlError(1, 1, `a configuration is one document, not ${documents.length}`);
    return documents.at(0) ?? {};
  } catch (cause) {
    if (!(cause instanceof YamlError)) throw cause;
    throw new ConfigError(`${file}:${cause.line}:${cause.column}: ${cause.message}`, { cause });
  }
}

/** Fields that differ and that a running daemon cannot take over. */
export function lastingChanges(from: Config, to: Config): readonly (keyof Config)[] {
  const changing: readonly string[] = ['flowAgeing', 'sessions', 'logLevel'];
  const fields = Object.keys({ ...from, ...to }) as (keyof Config)[];
  return fields.filter((field) => !changing.includes(field) && !isDeepStrictEqual(from[field], to[field]));
}

/** MTU of networks that name none: what is left of the underlay's after the largest encapsulation. */
export function defaultNetworkMtu(encapsulations: Config['tunnel']['encapsulations'], underlayMtu: number): number {
  return underlayMtu - Math.max(...encapsulations.map((name) => ENCAPSULATION_OVERHEAD[name]));
}

/** What is left of the underlay's MTU for IPv4 headers and what they announce, when our address there is this one. */
export function mtuBehind(address: string, underlayMtu: number): number {
  return address.includes(':') ? underlayMtu - IPV6_SURPLUS : underlayMtu;
}
