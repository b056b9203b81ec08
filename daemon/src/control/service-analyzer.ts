import * as z from 'zod';
import { reference } from './fields.js';

/** Interfaces an analyzer may have. */
const LEFT = 'left';

const INTERFACES = [LEFT, 'management'] as const;

/** Service types and modes Contrail knows; of them only an analyzer that is transparent is one here. */
const TYPES = ['analyzer', 'firewall', 'source-nat', 'loadbalancer'] as const;
const MODES = ['transparent', 'in-network', 'in-network-nat'] as const;

const templateFields = z.strictObject({
  type: z.enum(TYPES).describe('Only analyzer is possible'),
  mode: z.enum(MODES).default('transparent').describe('Only transparent is possible'),
  interfaces: z
    .array(z.enum(INTERFACES))
    .default([LEFT])
    .describe('left, which copies are sent to, and management where there is one'),
});

export const serviceTemplateSpec = templateFields.superRefine(({ type, mode, interfaces }, context) => {
  const refuse = (field: string, message: string): void => {
    context.addIssue({ code: 'custom', path: [field], message });
  };
  if (type !== 'analyzer')
    refuse('type', `"${type}" is a service that traffic passes through, which is not possible here; use analyzer`);
  if (mode !== 'transparent') refuse('mode', `"${mode}" does not go with type analyzer; use transparent`);
  if (!interfaces.includes(LEFT)) refuse('interfaces', 'have no left; an analyzer is sent copies there');
  if (new Set(interfaces).size < interfaces.length) refuse('interfaces', 'name one twice');
});

/** What a kind of service looks like. */
export type ServiceTemplateSpec = z.output<typeof templateFields>;

export const serviceInstanceSpec = z.strictObject({
  template: reference.describe('The service template'),
  interfaces: z
    .strictObject({
      left: reference.describe('Interface of the guest that copies are sent to'),
      management: reference.optional().describe('Interface of the guest it is reached by'),
    })
    .describe('The guest that is the analyzer, by its interfaces'),
});

/** An analyzer: a guest there is. Names are full names. */
export type ServiceInstanceSpec = z.output<typeof serviceInstanceSpec>;

/** What is known of an analyzer's guest. */
export interface ServiceInstanceStatus {
  /** Where copies go: the first IPv4 address of its left interface, else the first IPv6 one; null: it has none. */
  readonly address: string | null;
}
