import * as z from 'zod';
import { hasPorts, IP_PROTOCOL, type IpProtocolName } from './wire/ip-protocol.js';

const ageingRule = z
  .strictObject({
    protocol: z.union([z.enum(['any', 'tcp', 'udp', 'icmp', 'sctp']), z.int().min(0).max(255)]).default('any'),
    port: z.int().min(0).max(65535).default(0).describe('On either side; 0: every port'),
    seconds: z.int().min(0).max(2_000_000).describe('Without a packet in either direction; 0: the default'),
  })
  .refine(({ protocol, port }) => port === 0 || protocol === 'any' || hasPorts(numberOf(protocol)), {
    path: ['port'],
    message: 'is not for a protocol without ports; leave it out',
  });

/** After how long without packets a session ends; the most specific rule counts. */
export const flowAgeing = z
  .array(ageingRule)
  .max(4096)
  .superRefine((rules, context) => {
    const seen = new Set<string>();
    for (const [i, { protocol, port }] of rules.entries()) {
      const key = `${protocol === 'any' ? 'any' : numberOf(protocol)}:${port}`;
      if (seen.has(key)) {
        const message = `says a second time how long ${protocol} ${port} lives; keep one of them`;
        context.addIssue({ code: 'custom', path: [i], message });
      }
      seen.add(key);
    }
  });

/** Two words for one protocol are one rule. */
function numberOf(protocol: Exclude<IpProtocolName, 'icmp6'> | number): number {
  return typeof protocol === 'number' ? protocol : IP_PROTOCOL[protocol];
}

/** Records of sessions, and the log of what was refused. */
export const sessions = z.strictObject({
  file: z
    .strictObject({
      path: z.string().startsWith('/'),
      maxBytes: z.int().min(1_000_000).default(100_000_000).describe('Then another file is begun'),
      keep: z.int().min(1).max(1000).default(5).describe('Files kept besides the one that grows'),
    })
    .optional()
    .describe('Records as lines of JSON in a file'),
  stream: z.boolean().default(false).describe('Records in the stream `host:HOST:sessions` of the shared store'),
  streamLength: z.int().min(1).default(100_000).describe('About so many records stay in the stream'),
  sample: z.int().min(1).default(1).describe('One session of so many is recorded'),
  maxPerSecond: z.int().min(1).max(1_000_000).default(10_000).describe('Sessions recorded a second at most'),
  refused: z
    .strictObject({
      perSecond: z.int().min(0).max(10_000).default(5).describe('Log lines about refused sessions; 0: none'),
    })
    .prefault({}),
});

export const logLevel = z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']);
