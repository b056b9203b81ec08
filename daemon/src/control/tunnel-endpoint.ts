import * as z from 'zod';
import { ENCAPSULATIONS } from '../wire/encapsulation.js';
import { address, prefix, reference, stationMac } from './fields.js';

/** MPLS labels that are free to use (RFC 3032 section 2.1), and VXLAN network identifiers (RFC 7348 section 5). */
const label = z.int().min(16).max(0xf_ffff);
const vni = z.int().min(1).max(0xff_ffff);

const networkFields = z.strictObject({
  virtualNetwork: reference,
  vni: vni.optional().describe('VXLAN network identifier it takes. Default: the number of the network'),
  label: label.optional().describe('MPLS label of whatever below has none of its own'),
  flood: z.boolean().default(true).describe('Whether it wants what is sent to all of the network'),
  macs: z
    .array(z.strictObject({ mac: stationMac, addresses: z.array(address).default([]), label: label.optional() }))
    .default([])
    .describe('Stations behind it, with the addresses they answer for'),
  prefixes: z
    .array(z.strictObject({ prefix, label: label.optional(), mac: stationMac.optional() }))
    .default([])
    .describe('Addresses behind it that packets are routed to. Default of mac: that of the gateway'),
});

const fields = z.strictObject({
  address: address.describe('Where its tunnels end'),
  encapsulations: z
    .array(z.enum(ENCAPSULATIONS))
    .min(1)
    .describe('What it understands. The first of a host’s own that is among them is used'),
  networks: z.array(networkFields).default([]).describe('Networks it has a part in'),
});

export const tunnelEndpointSpec = fields.superRefine((given, context) => {
  for (const { path, problem } of problems(given)) context.addIssue({ code: 'custom', path, message: problem });
});

/** The end of tunnels of something that runs no vrouterd. */
export type TunnelEndpointSpec = z.output<typeof fields>;
export type EndpointNetwork = TunnelEndpointSpec['networks'][number];

interface Problem {
  readonly path: (string | number)[];
  readonly problem: string;
}

function* problems({ encapsulations, networks }: TunnelEndpointSpec): Generator<Problem> {
  for (const [i, encapsulation] of encapsulations.entries())
    if (encapsulations.indexOf(encapsulation) < i)
      yield { path: ['encapsulations', i], problem: `"${encapsulation}" is there twice` };
  const mpls = encapsulations.find((one) => one !== 'VXLAN');
  const names = new Map<string, number>();
  for (const [i, network] of networks.entries()) {
    const path = ['networks', i];
    const other = names.get(network.virtualNetwork);
    if (other !== undefined)
      yield { path: [...path, 'virtualNetwork'], problem: `is that of networks[${other}] already; join them` };
    names.set(network.virtualNetwork, i);
    yield* repetitions(network, path);
    if (mpls !== undefined && network.label === undefined) yield* unlabelled(network, path, mpls);
  }
}

function* repetitions({ macs, prefixes }: EndpointNetwork, path: Problem['path']): Generator<Problem> {
  const seen = new Set<string>();
  const twice = (text: string): boolean => seen.size === seen.add(text).size;
  for (const [i, { mac, addresses }] of macs.entries()) {
    if (twice(mac)) yield { path: [...path, 'macs', i, 'mac'], problem: `"${mac}" is there twice` };
    for (const [j, one] of addresses.entries())
      if (twice(one)) yield { path: [...path, 'macs', i, 'addresses', j], problem: `"${one}" is there twice` };
  }
  for (const [i, one] of prefixes.entries())
    if (twice(one.prefix))
      yield { path: [...path, 'prefixes', i, 'prefix'], problem: `"${one.prefix}" is there twice` };
}

/** With MPLS every packet needs a label. */
function* unlabelled(network: EndpointNetwork, path: Problem['path'], encapsulation: string): Generator<Problem> {
  const problem = `is missing, and ${encapsulation} needs it; give one here, or for the whole network`;
  if (network.flood) yield { path: [...path, 'label'], problem: `is missing, and ${encapsulation} needs it to flood` };
  for (const [i, one] of network.macs.entries())
    if (one.label === undefined) yield { path: [...path, 'macs', i, 'label'], problem };
  for (const [i, one] of network.prefixes.entries())
    if (one.label === undefined) yield { path: [...path, 'prefixes', i, 'label'], problem };
}
