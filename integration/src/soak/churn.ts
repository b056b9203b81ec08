/** What the soak does to the daemon: guests and networks come, change and go, and guests misbehave. */
import { fileURLToPath } from 'node:url';
import type { Background } from '../lab/process.js';
import { network, type Document } from '../lab/topology.js';
import { diagnosis } from './diagnosis.js';
import { FLOODS, type Flood, type Order } from './frame-gun.js';
import { GUEST_KINDS, SoakGuest } from './guest.js';
import type { Random } from './random.js';
import { groupDocuments, guestRestrictions, networkRestrictions, policyDocuments } from './restrictions.js';
import type { World } from './world.js';

const FRAME_GUN = fileURLToPath(new URL('frame-gun.js', import.meta.url));
const NETWORKS = 3;
/** Guests at a time, at most; a third less is usual. */
const GUESTS = 9;
/** Floods, in frames a second. The agent takes a thousand a second from an interface. */
const FLOOD_RATES = [2_000, 10_000, 30_000] as const;
const FLOOD_SECONDS = 2;
/** Where all is bridged nobody checks what a guest that floods tells the others of MAC addresses: they ask again. */
const BRIDGED_TRIES = 3;
const TOOLS: readonly (readonly [string, string])[] = [
  ['vif', '--list'],
  ['nh', '--list'],
  ['rt', '--dump 1'],
  ['rt', '--dump 1 --family bridge'],
  ['mpls', '--dump'],
  ['vxlan', '--dump'],
  ['dropstats', ''],
  ['vrfstats', '--dump'],
  ['vrouter', 'get all -o yaml'],
  ['flow', '-s'],
  ['vrouter', 'status'],
];

/** A network of the churn: what it is now. */
interface ChurnNetwork {
  readonly name: string;
  readonly index: number;
  mode: 'l2_l3' | 'l3' | 'l2';
  floods: boolean;
  extraSubnet: boolean;
  mtu: number | undefined;
  restrictions: Document;
}

export type Action = readonly [name: string, work: () => Promise<unknown>];

export class Churn {
  readonly #world: World;
  readonly #random: Random;
  readonly #networks: ChurnNetwork[];
  #guests: SoakGuest[] = [];
  #floods: Background[] = [];
  #made = 0;

  constructor(world: World) {
    this.#world = world;
    this.#random = world.random;
    this.#networks = Array.from({ length: NETWORKS }, (_, index) => ({
      name: `churn-${index}`,
      index,
      mode: 'l2_l3',
      floods: false,
      extraSubnet: false,
      mtu: undefined,
      restrictions: {},
    }));
  }

  /** What networks and guests may be held to, before anybody is. */
  async start(): Promise<void> {
    await this.#apply([...this.#policies(), ...groupDocuments(this.#random)]);
  }

  /** One of each, to be done in any order. Traffic between guests that stay must not notice any of it. */
  actions(): Action[] {
    const floods = FLOODS.map((flood): Action => [`flood ${flood}`, () => this.#flood(flood)]);
    return [
      ['guests come', () => this.#come(3)],
      ['guests come', () => this.#come(2)],
      ['guests go', () => this.#go(2)],
      ['network changes', () => this.#changeNetwork()],
      ['network changes', () => this.#changeNetwork()],
      ['policies change', () => this.#changePolicies()],
      ['guest restricted', () => this.#restrict()],
      ['guest restricted', () => this.#restrict()],
      ['guest returns', () => this.#return()],
      ['guest returns', () => this.#return()],
      ['device lost', () => this.#loseDevice()],
      ['device lost', () => this.#loseDevice()],
      ['virtual machine restarts', () => this.#restartMachine()],
      ['tools', () => this.#runTools()],
      ['refused', () => this.#applyNonsense()],
      ...floods,
    ];
  }

  /** Takes everything away that the actions made. */
  async clear(): Promise<void> {
    await this.floodsEnded();
    const stored = await this.#storedNames();
    const made = [
      ...this.#guests.map(({ name, document }) => ({ name, document })),
      ...this.#networks.map((network) => ({ name: network.name, document: networkDocument(network) })),
    ];
    await this.#world.client.remove(made.filter(({ name }) => stored.has(name)).map(({ document }) => document));
    for (const guest of this.#guests) await guest.unplug();
    this.#guests = [];
    await this.#world.realised();
  }

  async floodsEnded(): Promise<void> {
    for (const flood of this.#floods) await flood.ended;
    this.#floods = [];
  }

  async #storedNames(): Promise<Set<string>> {
    const objects = (await this.#world.client.objects()) as { metadata: { name: string } }[];
    return new Set(objects.map(({ metadata }) => metadata.name));
  }

  async #apply(documents: readonly unknown[]): Promise<void> {
    await this.#world.client.apply(documents, { dryRun: false, prune: false });
    await this.#world.realised();
  }

  async #come(count: number): Promise<void> {
    const guests: SoakGuest[] = [];
    for (let i = 0; i < count && this.#guests.length + guests.length < GUESTS; i++) {
      const { name } = this.#random.pick(this.#networks);
      const guest = new SoakGuest(this.#world, `c${this.#made++}`, this.#random.pick(GUEST_KINDS), name);
      if (this.#random.chance(0.5)) guest.restrictions = guestRestrictions(this.#random);
      // The interface may be applied before there is anything to connect it to.
      if (guest.kind === 'device' || this.#random.chance(0.7)) await guest.plug();
      guests.push(guest);
    }
    await this.#world.client.apply(
      [...this.#networks.map(networkDocument), ...guests.map(({ document }) => document)],
      {
        dryRun: false,
        prune: false,
      },
    );
    for (const guest of guests) if (!guest.isPlugged) await guest.plug();
    this.#guests.push(...guests);
    await this.#world.realised();
    for (const guest of guests) await guest.start();
    for (const guest of guests) await this.#verify(guest);
  }

  async #go(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const guest = await this.#anyGuest();
      this.#guests = this.#guests.filter((other) => other !== guest);
      // Either may be first: what runs in a cloud is told late.
      const unplugFirst = this.#random.chance(0.5);
      if (unplugFirst) await guest.unplug();
      await this.#world.client.remove([guest.document]);
      if (!unplugFirst) await guest.unplug();
    }
    await this.#world.realised();
  }

  async #changeNetwork(): Promise<void> {
    const changed = this.#random.pick(this.#networks);
    switch (this.#random.below(6)) {
      case 0:
        changed.mode = this.#random.pick((['l2_l3', 'l3', 'l2'] as const).filter((mode) => mode !== changed.mode));
        break;
      case 1:
        changed.floods = !changed.floods;
        break;
      case 2:
        changed.extraSubnet = !changed.extraSubnet;
        break;
      case 3:
        changed.mtu = this.#random.pick([undefined, 1280, 1400, 1500]);
        break;
      default:
        changed.restrictions = networkRestrictions(this.#random);
    }
    await this.#apply([networkDocument(changed)]);
    for (const guest of this.#guests) if (guest.network === changed.name) await this.#verify(guest);
  }

  async #changePolicies(): Promise<void> {
    await this.#apply(this.#random.chance(0.5) ? this.#policies() : groupDocuments(this.#random));
    for (const guest of this.#guests) await this.#verify(guest);
  }

  #policies(): Document[] {
    return policyDocuments(
      this.#random,
      this.#networks.map(({ name }) => name),
    );
  }

  /** Another group, packet mode and back, other fat flows: while whatever it has goes on. */
  async #restrict(): Promise<void> {
    const guest = await this.#anyGuest();
    guest.restrictions = this.#random.chance(0.2) ? {} : guestRestrictions(this.#random);
    await this.#apply([guest.document]);
    await this.#verify(guest);
  }

  async #return(): Promise<void> {
    const guest = await this.#anyGuest();
    await guest.unplug();
    if (this.#random.chance(0.5)) await this.#world.client.wait(1);
    await guest.plug();
    await this.#settled(guest);
  }

  async #loseDevice(): Promise<void> {
    const guest = await this.#anyGuest();
    await guest.loseDevice(this.#random.chance(0.5));
    await this.#settled(guest);
  }

  async #restartMachine(): Promise<void> {
    const guest = await this.#anyGuest('hypervisor');
    await guest.stop();
    await this.#settled(guest);
  }

  /** Waits until the daemon has the guest's port again, and starts the guest on it. */
  async #settled(guest: SoakGuest): Promise<void> {
    await guest.restored();
    await guest.start();
    await this.#verify(guest);
  }

  /** Sends frames no honest guest sends, while the soak goes on. */
  async #flood(flood: Flood): Promise<void> {
    const guest = await this.#anyGuest();
    const order: Order = {
      flood,
      seconds: FLOOD_SECONDS,
      rate: this.#random.pick(FLOOD_RATES),
      seed: this.#random.below(2 ** 32),
      mac: guest.status.mac,
      address: guest.ipv4,
      gateway: gatewayOf(this.#networkOf(guest)),
    };
    this.#floods.push(guest.namespace.spawn([process.execPath, FRAME_GUN, JSON.stringify(order)]));
  }

  /** The classic tools, all at once. */
  async #runTools(): Promise<void> {
    const outcomes = await Promise.all(TOOLS.map(([tool, args]) => this.#world.daemon.attempt(tool, args)));
    for (const [index, { code, stderr }] of outcomes.entries()) {
      if (code !== 0) throw new Error(`${TOOLS[index].join(' ')}: exit code ${code}: ${stderr.trim()}`);
    }
  }

  /** Configuration that cannot be must change nothing. */
  async #applyNonsense(): Promise<void> {
    const nonsense = [
      network('churn-0', { subnets: [{ prefix: '10.0.0.0/33' }] }),
      network('never', { unknown: 1 }),
      new SoakGuest(this.#world, 'never', 'veth', 'no-such-network').document,
    ];
    for (const document of nonsense) {
      const applied = await this.#world.client
        .apply([document], { dryRun: false, prune: false })
        .catch(() => undefined);
      if (applied) throw new Error(`nonsense was applied: ${JSON.stringify(document)}`);
    }
    await this.#world.realised();
  }

  /** A guest, of this kind if one is named; one comes when there is none. */
  async #anyGuest(kind?: SoakGuest['kind']): Promise<SoakGuest> {
    for (let tries = 0; tries < GUESTS; tries++) {
      const candidates = this.#guests.filter((guest) => kind === undefined || guest.kind === kind);
      if (candidates.length > 0) return this.#random.pick(candidates);
      if (this.#guests.length >= GUESTS) await this.#go(2);
      await this.#come(2);
    }
    return this.#random.pick(this.#guests);
  }

  #networkOf(guest: SoakGuest): ChurnNetwork {
    return this.#networks.find(({ name }) => name === guest.network) ?? this.#networks[0];
  }

  /** The guest reaches its gateway, or where nobody plays gateway another guest. */
  async #verify(guest: SoakGuest): Promise<void> {
    const network = this.#networkOf(guest);
    const other = this.#guests.find((candidate) => candidate !== guest && candidate.network === guest.network);
    const targets = [...(network.mode === 'l2' ? [] : [gatewayOf(network)]), ...(other ? [other.ipv4] : [])];
    const ends = [guest, ...(other ? [other] : [])];
    for (const target of targets) {
      if (await reaches(ends, target, network.mode === 'l2' ? BRIDGED_TRIES : 1)) continue;
      const end = target === other?.ipv4 ? other : undefined;
      process.stdout.write(`${await diagnosis(this.#world, guest, end, target)}\n`);
      const whom = end ? end.text : `its gateway ${target}`;
      throw new Error(`${guest.text} does not reach ${whom}, forwarding mode ${network.mode}`);
    }
  }
}

/**
 * Whether the first of the guests reaches the address. All forget first what MAC addresses they know: they may remember who had an address
 * before, or what it was in another forwarding mode.
 */
async function reaches(ends: readonly SoakGuest[], target: string, tries: number): Promise<boolean> {
  for (let left = tries; left > 0; left--) {
    for (const { namespace } of ends) await namespace.run('ip neigh flush dev eth0');
    const ping = ['ping', '-n', '-c', '1', '-i', '0.2', '-w', '5', target];
    if ((await ends[0].namespace.attempt(ping)).code === 0) return true;
  }
  return false;
}

function gatewayOf({ index }: ChurnNetwork): string {
  return `10.60.${index}.1`;
}

function networkDocument({ name, index, mode, floods, extraSubnet, mtu, restrictions }: ChurnNetwork): Document {
  const subnets = [{ prefix: `10.60.${index}.0/24` }, { prefix: `fd60:${index}::/64` }];
  if (extraSubnet) subnets.push({ prefix: `10.61.${index}.0/24` });
  const spec = { forwardingMode: mode, floodUnknownUnicast: floods, subnets, ...restrictions };
  return network(name, mtu === undefined ? spec : { ...spec, mtu });
}
