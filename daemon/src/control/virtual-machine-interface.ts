import * as z from 'zod';
import { fatFlows } from './fat-flow.js';
import { account, address, deviceName, dnsName, netns, reference, stationMac } from './fields.js';
import { interfaceMirrors } from './mirror-to.js';

/** Most queues the kernel gives one TAP. */
const QUEUES_MAX = 256;

const queues = z.int().min(1).max(QUEUES_MAX).optional();
const offloads = z
  .boolean()
  .default(true)
  .describe('Whether frames carry a virtio-net header: checksum and segmentation offload');

const tap = z
  .strictObject({
    type: z.literal('tap'),
    device: deviceName.optional(),
    owner: account.optional().describe('User who may open the device, by name or number'),
    group: account.optional().describe('Group that may open the device, by name or number'),
    queues,
    offloads,
  })
  .describe('A persistent TAP device for a hypervisor');

const namespacePort = z
  .strictObject({
    type: z.literal('netns'),
    netns: netns.describe('Name (as in `ip netns`) or path of the namespace'),
    ifName: deviceName.default('eth0').describe('Name of the interface inside the namespace'),
    device: deviceName.optional(),
    port: z.enum(['veth', 'tap']).default('veth'),
    configure: z.boolean().default(true).describe('Whether MAC, MTU, address and default route are set inside'),
    queues,
    offloads,
  })
  .describe('An interface inside a network namespace');

const device = z
  .strictObject({ type: z.literal('device'), device: deviceName })
  .describe('An interface that already exists');

export const virtualMachineInterfaceSpec = z.strictObject({
  virtualNetwork: reference,
  host: dnsName.optional().describe('Default: the host where the interface was first applied'),
  attach: z.discriminatedUnion('type', [tap, namespacePort, device]).prefault({ type: 'tap' }),
  mac: stationMac.optional().describe('Default: 02 and the first five bytes of the UUID'),
  addresses: z
    .array(address)
    .min(1)
    .optional()
    .describe('Default: one of each family, from the first subnet of the network with room'),
  hostName: dnsName.optional().describe('What DHCP tells the guest its name is'),
  securityGroups: z.array(reference).default([]).describe('Names of security groups. None: everything may pass'),
  packetMode: z.boolean().default(false).describe('Whether its packets are forwarded without flows, and so unfiltered'),
  portSecurity: z.boolean().optional().describe('Default: what the network says'),
  fatFlows: fatFlows.describe('Sessions that share one flow entry, besides those its network says'),
  mirrors: interfaceMirrors.describe('Analyzers its frames are copied to'),
  maxFlows: z
    .int()
    .min(0)
    .optional()
    .describe('Most flow entries. Default, and 0: the default share of the flow table'),
});

/** What a user wants of an interface. Addresses, MAC and names are in canonical text. */
export type VirtualMachineInterfaceSpec = z.output<typeof virtualMachineInterfaceSpec>;
export type Attach = VirtualMachineInterfaceSpec['attach'];

/** What was decided when the interface was applied. */
export interface VirtualMachineInterfaceStatus {
  /** Device in the host's namespace. */
  readonly device: string;
  readonly mac: string;
  /** In the order they were asked for; else IPv4 before IPv6. */
  readonly addresses: readonly string[];
}
