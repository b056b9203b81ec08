import * as z from 'zod';
import { prefix, reference } from './fields.js';
import { ruleMirror } from './mirror-to.js';
import { parsePrefix } from './prefix.js';
import { ports, portsProblem, protocol } from './traffic.js';

const PEERS = ['virtualNetwork', 'subnet', 'any'] as const;

const peer = z
  .strictObject({
    virtualNetwork: reference.optional().describe('A network by name; it need not exist'),
    subnet: prefix.optional(),
    any: z.literal(true).optional(),
    ports,
  })
  .superRefine((given, context) => {
    const named = PEERS.filter((field) => given[field] !== undefined);
    if (named.length < 2) return;
    context.addIssue({ code: 'custom', path: [named[1]], message: `cannot stand beside ${named[0]}; keep one` });
  })
  .transform(({ virtualNetwork, subnet, ports }) => ({
    ...(virtualNetwork === undefined || virtualNetwork === 'any' ? {} : { virtualNetwork }),
    ...(subnet === undefined ? {} : { subnet }),
    ports,
  }))
  .prefault({})
  .describe('One end of a session: a network, a subnet, or (the default) any');

const rule = z
  .strictObject({
    action: z.enum(['pass', 'deny']).default('pass'),
    protocol,
    direction: z.enum(['<>', '>']).default('<>').describe('Who may begin: either end, or only the source'),
    source: peer,
    destination: peer,
    log: z.boolean().default(false).describe('Whether every session the rule decides is told to the session log'),
    mirror: ruleMirror.optional().describe('Whom packets of the sessions it decides are copied to, both directions'),
  })
  .superRefine(({ protocol, source, destination }, context) => {
    const portless = portsProblem(protocol);
    for (const [end, given] of Object.entries({ source, destination })) {
      if (portless !== undefined && given.ports !== 'any')
        context.addIssue({ code: 'custom', path: [end, 'ports'], message: portless });
    }
    const [from, to] = [source, destination].map(({ subnet }) => subnet && parsePrefix(subnet).family);
    if (from === undefined || to === undefined || from === to) return;
    const message = `"${destination.subnet ?? ''}" is not IPv${from}, as the subnet of the source is`;
    context.addIssue({ code: 'custom', path: ['destination', 'subnet'], message });
  });

export const networkPolicySpec = z.strictObject({
  rules: z.array(rule).default([]).describe('The first rule that matches a new session decides'),
});

/** What may pass between networks. Names of networks are full names. */
export type NetworkPolicySpec = z.output<typeof networkPolicySpec>;
export type PolicyRule = NetworkPolicySpec['rules'][number];
export type PolicyPeer = PolicyRule['source'];
