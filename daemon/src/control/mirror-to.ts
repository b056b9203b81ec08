import * as z from 'zod';
import { UDP_PORT as MIRROR_PORT } from '../wire/mirror-metadata.js';
import {
  type DestinationMirror,
  destinationFields,
  destinationMirror,
  resolveDestination,
} from './destination-name.js';
import { address, canonical, stationMac } from './fields.js';
import { DEFAULT_SCOPE, fullName, type Scope, splitName } from './names.js';
import { PORT_MAX } from './traffic.js';

/** What templates write where they mean no routing instance. */
const NO_INSTANCE = '-1';
/** Routing instance of the underlay, as Contrail names it. */
const FABRIC_INSTANCE = '__default__';
/** Shortest piece of a frame worth copying: its Ethernet header. */
const SNAP_MIN = 14;
const VLAN_MAX = 4094;
const VNI_MAX = 0xff_ffff;

/** Name of the network a routing instance is of: `domain:project:network:network`, or the name of the network itself. */
function networkOf(instance: string): string {
  if (instance === NO_INSTANCE) return instance;
  const parts = instance.split(':');
  const isFull = parts.length === 4 && (parts[3] === parts[2] || parts[3] === FABRIC_INSTANCE);
  const name = isFull ? parts.slice(0, 3).join(':') : instance;
  if (splitName(name, DEFAULT_SCOPE) === undefined) throw new Error(instance);
  return name;
}

const analyzerName = canonical(
  (text) => {
    if (!/^(?!\s)[^\p{Cc}]{1,255}(?<!\s)$/u.test(text)) throw new Error(text);
    return text;
  },
  'is not the name of an analyzer (1 to 255 characters, no blank at either end)',
  'DPI',
);

const staticNhHeader = z
  .strictObject({
    vtepDstIp: address.describe('Where the VXLAN ends'),
    vtepDstMac: stationMac.optional().describe('MAC of that end; the frames inside keep theirs'),
    vni: z.int().min(1).max(VNI_MAX).describe('VXLAN network identifier'),
  })
  .describe('Of nhMode static: the VXLAN the frames go into');

/** The fields of a mirror, as users write them. */
export const mirrorFields = {
  analyzerName: analyzerName.describe(
    'What says the same under one name is one mirror: the name of a service instance, or any text',
  ),
  analyzerIp: address.optional().describe('Where copies go. Default: the address of the service instance'),
  udpPort: z.int().min(0).max(PORT_MAX).default(MIRROR_PORT).describe(`UDP port of the analyzer; 0: ${MIRROR_PORT}`),
  juniperHeader: z
    .boolean()
    .default(true)
    .describe(
      'Whether copies travel in UDP, behind a header that says where they are from; else frames go as they are',
    ),
  analyzerMac: stationMac.optional().describe('Without header: MAC of the analyzer, which leads to it'),
  routingInstance: canonical(
    networkOf,
    'is not a routing instance (DOMAIN:PROJECT:NETWORK:NETWORK, or the name of a network)',
    'default-domain:default-project:blue:blue',
  )
    .optional()
    .describe('Without header: the network the MAC is looked up in. Default, and -1: that of what is copied'),
  nhMode: z
    .enum(['dynamic', 'static'])
    .default('dynamic')
    .describe('Whether the way to the analyzer is looked up, or given by staticNhHeader'),
  staticNhHeader: staticNhHeader.optional(),
  nicAssistedMirroring: z
    .boolean()
    .default(false)
    .describe('Whether the NIC copies: frames leave through the underlay with a VLAN tag, and nothing is copied here'),
  nicAssistedVlan: z.int().min(1).max(VLAN_MAX).optional().describe('The VLAN tag'),
  rateLimit: z.int().min(0).default(0).describe('Most copies a second; 0: any number'),
  sample: z.int().min(1).default(1).describe('One of so many packets is copied'),
  snapLength: z
    .int()
    .min(0)
    .max(PORT_MAX)
    .default(0)
    .describe(`Most bytes of a frame that are copied, ${SNAP_MIN} or more; 0: all`),
  suppressIcmpErrors: z
    .boolean()
    .default(true)
    .describe('Whether ICMP errors that answer copies are kept from the guest whose frames are copied'),
};

export const trafficDirection = z
  .enum(['both', 'ingress', 'egress'])
  .default('both')
  .describe('What is copied: what the guest sends (ingress), what it is sent (egress), or both');
export type TrafficDirection = z.output<typeof trafficDirection>;

const enable = z.boolean().default(true).describe('Whether anything is copied');
const fields = z.strictObject(mirrorFields);
const interfaceFields = z.strictObject({ ...mirrorFields, trafficDirection, enable });
const interfaceDestination = z.strictObject({ ...destinationFields, enable });

/** Whom packets are copied to, and how. `routingInstance` is the full name of a network. */
export type MirrorTo = z.output<typeof fields>;

/** The mirror a rule names. */
export const ruleMirror = z.union([fields.superRefine(check).transform(canonicalMirror), destinationMirror]);

/** Whom packets are copied to: said in place, or by a mirror destination. */
export type RuleMirror = MirrorTo | DestinationMirror;

/** The `mirrors` of an interface: no two for one analyzer. */
export const interfaceMirrors = z
  .array(z.union([interfaceFields.superRefine(check).transform(canonicalMirror), interfaceDestination]))
  .default([])
  .superRefine((mirrors, context) => {
    const names = mirrors.map((one) => ('destination' in one ? one.destination : one.analyzerName));
    for (const [i, name] of names.entries()) {
      const field = 'destination' in mirrors[i] ? 'destination' : 'analyzerName';
      const other = mirrors.findIndex((one, k) => field in one && names[k] === name);
      if (other === i) continue;
      const message = `"${name}" is that of mirrors[${other}] already; join them`;
      context.addIssue({ code: 'custom', path: [i, field], message });
    }
  });

/** One mirror of an interface: of its own, or a mirror destination, which says the direction as well. */
export type InterfaceMirror = z.output<typeof interfaceFields> | z.output<typeof interfaceDestination>;

function check(given: MirrorTo, context: z.core.$RefinementCtx): void {
  for (const { path, problem } of mirrorProblems(given)) context.addIssue({ code: 'custom', path, message: problem });
}

/** What does not fit together in the fields of a mirror. */
export function* mirrorProblems(
  given: Omit<MirrorTo, 'analyzerName'>,
): Generator<{ readonly path: string[]; readonly problem: string }> {
  const { snapLength, nicAssistedMirroring, nicAssistedVlan, nhMode, staticNhHeader: header } = given;
  if (snapLength > 0 && snapLength < SNAP_MIN)
    yield { path: ['snapLength'], problem: `${snapLength} is too small; use ${SNAP_MIN} or more, or 0 for all` };
  if (nicAssistedMirroring) {
    if (nicAssistedVlan === undefined)
      yield { path: ['nicAssistedVlan'], problem: `is missing; name the VLAN the NIC copies, from 1 to ${VLAN_MAX}` };
    return;
  }
  if (nicAssistedVlan !== undefined)
    yield { path: ['nicAssistedVlan'], problem: 'goes with nicAssistedMirroring: true' };
  if (nhMode === 'dynamic') {
    if (header !== undefined) yield { path: ['staticNhHeader'], problem: 'goes with nhMode: static' };
    // Of a service instance both are known; whether it is one is seen when it is applied.
    const isExternal = given.analyzerIp !== undefined || (given.routingInstance ?? NO_INSTANCE) !== NO_INSTANCE;
    if (!given.juniperHeader && given.analyzerMac === undefined && isExternal)
      yield { path: ['analyzerMac'], problem: 'is missing; frames without header find the analyzer by its MAC' };
    return;
  }
  if (given.juniperHeader)
    yield { path: ['juniperHeader'], problem: 'true (the default) does not go with nhMode: static; set it to false' };
  if (header === undefined) yield { path: ['staticNhHeader'], problem: 'is missing; name its vtepDstIp and vni' };
}

/** A mirror with a port, and without a routing instance that means none. */
export function canonicalMirror<M extends { readonly udpPort: number; readonly routingInstance?: string | undefined }>({
  udpPort,
  routingInstance,
  ...rest
}: M) {
  return {
    ...rest,
    udpPort: udpPort === 0 ? MIRROR_PORT : udpPort,
    ...(routingInstance === undefined || routingInstance === NO_INSTANCE ? {} : { routingInstance }),
  };
}

/** A mirror with full names: of the network its routing instance is of, or of its destination; short ones are of this scope. */
export function resolveMirror<M extends RuleMirror>(mirror: M, scope: Scope): M {
  if ('destination' in mirror) return { ...mirror, destination: resolveDestination(mirror.destination, scope) };
  const { routingInstance } = mirror;
  const parts = routingInstance === undefined ? undefined : splitName(routingInstance, scope);
  return parts === undefined ? mirror : { ...mirror, routingInstance: fullName(parts) };
}
