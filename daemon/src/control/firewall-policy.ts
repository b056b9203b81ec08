import * as z from 'zod';
import { destinationFields } from './destination-name.js';
import { namePart, prefix } from './fields.js';
import { labelSelector } from './label-selector.js';
import { formatPrefix, parsePrefix } from './prefix.js';
import { PORT_MAX, portsProblem, protocol } from './traffic.js';

const ipBlock = z
  .strictObject({ cidr: prefix, except: z.array(prefix).default([]).describe('Prefixes inside that are not meant') })
  .superRefine(({ cidr, except }, context) => {
    const whole = parsePrefix(cidr);
    for (const [i, text] of except.entries()) {
      const { family, first, last } = parsePrefix(text);
      if (family === whole.family && whole.first <= first && last <= whole.last) continue;
      const message = `"${text}" is not inside of ${formatPrefix(whole)}`;
      context.addIssue({ code: 'custom', path: ['except', i], message });
    }
  });

const endpoint = z
  .strictObject({
    selector: labelSelector.optional().describe('Interfaces with these labels. Default: all of the projects'),
    projects: z
      .union([z.literal('all'), z.array(namePart).min(1)])
      .optional()
      .describe('Projects the interfaces are in, or all. Default: that of the policy'),
    ipBlock: ipBlock.optional().describe('Addresses, whoever has them'),
  })
  .superRefine((given, context) => {
    const beside = (['selector', 'projects'] as const).find((field) => given[field] !== undefined);
    if (given.ipBlock !== undefined && beside !== undefined)
      context.addIssue({ code: 'custom', path: ['ipBlock'], message: `cannot stand beside ${beside}; keep one` });
    if (given.ipBlock === undefined && beside === undefined)
      context.addIssue({ code: 'custom', path: [], message: 'is empty; name a selector, projects or an ipBlock' });
  })
  .describe('Interfaces by their labels, or addresses');

const port = z.int().min(0).max(PORT_MAX).optional();

const portRange = z
  .strictObject({
    protocol: z
      .union([z.int(), z.string()])
      .default('tcp')
      .transform((given): string | number | undefined => (typeof given === 'string' ? given.toLowerCase() : given))
      .pipe(protocol)
      .describe('As in a rule of a network policy. Default: tcp'),
    port,
    endPort: port.describe('Last port of a range that begins with port'),
  })
  .superRefine((given, context) => {
    const refuse = (field: string, message: string): void => {
      context.addIssue({ code: 'custom', path: [field], message });
    };
    const portless = portsProblem(given.protocol);
    if (given.port !== undefined && portless !== undefined) refuse('port', portless);
    if (given.endPort === undefined) return;
    if (given.port === undefined) refuse('endPort', 'needs a port beside it');
    else if (given.endPort < given.port) refuse('endPort', `${given.endPort} comes before port ${given.port}`);
  });

const mirrorTo = z
  .union([destinationFields.destination, z.array(destinationFields.destination).min(1)])
  .transform((given) => (Array.isArray(given) ? [...new Set(given)] : [given]));

const secondaryActions = z
  .strictObject({
    mirrorTo: mirrorTo.describe('A mirror destination by NAME, PROJECT/NAME or DOMAIN:PROJECT:NAME, or several'),
  })
  .optional();

const endpoints = z.array(endpoint).default([]);

const rule = z.strictObject({
  source: endpoints.describe('Who begins a session: any of these. None: anybody'),
  destination: endpoints.describe('Who it goes to: any of these. None: anybody'),
  ports: z.array(portRange).default([]).describe('What of: any of these. None: everything'),
  secondaryActions: secondaryActions.describe('What else happens to sessions of the rule'),
});

export const firewallPolicySpec = z.strictObject({
  selectors: z
    .array(labelSelector)
    .default([])
    .describe('Interfaces of the project it applies to: any of these. None: all'),
  action: z.enum(['pass', 'deny']).default('pass').describe('What happens to sessions of its rules'),
  rules: z.array(rule).default([]).describe('The first rule that matches a new session decides'),
  secondaryActions: secondaryActions.describe('What else happens to sessions of its rules, unless a rule says it'),
});

/** Who interfaces may talk to, by labels. Names of mirror destinations are full names. */
export type FirewallPolicySpec = z.output<typeof firewallPolicySpec>;
export type FirewallRule = FirewallPolicySpec['rules'][number];
export type FirewallEndpoint = FirewallRule['source'][number];
export type SecondaryActions = FirewallPolicySpec['secondaryActions'];

/** What became of it. */
export interface FirewallPolicyStatus {
  readonly state: 'Pending' | 'Success';
  /** What is missing, or does nothing. */
  readonly observations: readonly string[];
}
