import * as z from 'zod';
import { prefix, reference } from './fields.js';
import { ports, portsProblem, protocol } from './traffic.js';

const octet = z.int().min(0).max(255).optional();

const rule = z
  .strictObject({
    protocol,
    ports,
    icmpType: octet,
    icmpCode: octet,
    remotePrefix: prefix.optional(),
    remoteGroup: reference.optional().describe('A security group by name, or self'),
  })
  .superRefine((given, context) => {
    const refuse = (field: keyof typeof given, message: string): void => {
      context.addIssue({ code: 'custom', path: [field], message });
    };
    const portless = portsProblem(given.protocol);
    if (given.ports !== 'any' && portless !== undefined) refuse('ports', portless);
    const isIcmp = given.protocol === 'icmp' || given.protocol === 'icmp6';
    if (given.icmpType !== undefined && !isIcmp) refuse('icmpType', 'needs protocol icmp or icmp6');
    if (given.icmpCode !== undefined && given.icmpType === undefined) refuse('icmpCode', 'needs an icmpType beside it');
    if (given.remoteGroup !== undefined && given.remotePrefix !== undefined)
      refuse('remoteGroup', 'cannot stand beside remotePrefix; keep one');
  })
  .describe('Traffic that is allowed; without remotePrefix and remoteGroup: with everybody');

export const securityGroupSpec = z.strictObject({
  ingress: z
    .array(rule)
    .prefault([{ remoteGroup: 'self' }])
    .describe('What may reach the interfaces of the group. Default: everything from the same group'),
  egress: z.array(rule).prefault([{}]).describe('What they may send. Default: everything'),
});

/** Who interfaces may talk to. Names of groups are full names. */
export type SecurityGroupSpec = z.output<typeof securityGroupSpec>;
export type SecurityGroupRule = SecurityGroupSpec['ingress'][number];
