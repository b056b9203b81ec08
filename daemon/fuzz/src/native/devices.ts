import type { Choices } from '../engine/choices.js';
import { must } from '../engine/target.js';
import type { Boundary, OpenFd } from './boundary.js';
import { odd } from './values.js';

const RX_WORDS = 4;
const TX_WORDS = 6;
const VNET_LEN = 10;
const STATUS = 3;
const FAILED = 1;
const SCRATCH = 128 << 10;

/** A device of packet-io, and what the run knows of it. */
interface Device {
  readonly handle: unknown;
  readonly ports: number;
  readonly txQueue: number;
  readonly attached: Map<number, OpenFd>;
  readonly arena: ArrayBuffer;
  readonly ctl: Int32Array;
  readonly rx: Int32Array;
  readonly tx: Int32Array;
  readonly scratchAt: number;
}

/** Everything that can be done with devices of packet-io, in any order. */
export class Devices {
  readonly #boundary: Boundary;
  readonly #devices: Device[] = [];
  readonly actions: readonly (() => void)[] = [
    () => this.#create(),
    () => this.#attach(),
    () => this.#attach(),
    () => this.#step(),
    () => this.#step(),
    () => this.#step(),
    () => this.#detach(),
    () => this.#wake(),
    () => this.#close(),
  ];

  constructor(boundary: Boundary) {
    this.#boundary = boundary;
    boundary.endings.push(() => {
      for (const { handle } of this.#devices) boundary.packetIo.close(handle);
    });
  }

  #create(): void {
    const { choices, packetIo } = this.#boundary;
    if (this.#devices.length >= 2) return;
    const rxSlots = choices.pick([1, 4, 8]);
    const txQueue = choices.pick([1, 4, 16]);
    const ports = choices.pick([1, 4, 8]);
    const sizes = [
      rxSlots,
      choices.pick([2048, 70_016]),
      SCRATCH,
      txQueue,
      ports,
      choices.pick([0, 2 << 20, 4 << 20]),
      1 + choices.below(4),
    ];
    const given = sizes.map((size) => odd(choices, size));
    const wakeFd = choices.chance(64) ? this.#boundary.chooseFd('event', 'pair')?.fd : undefined;
    const handle = this.#boundary.call(packetIo, 'create', ...given, odd(choices, wakeFd));
    if (handle === undefined) return;
    if (given.some((size, i) => size !== sizes[i])) return void this.#boundary.call(packetIo, 'close', handle);
    const arena = packetIo.arena(handle) as ArrayBuffer;
    const [rxAt, txAt, countersAt, scratchAt] = packetIo.layout(handle) as number[];
    must(
      rxAt < txAt && txAt < countersAt && countersAt < scratchAt,
      () => `layout ${rxAt} ${txAt} ${countersAt} ${scratchAt}`,
    );
    must(scratchAt + SCRATCH <= arena.byteLength, () => `scratch at ${scratchAt} of ${arena.byteLength}`);
    this.#devices.push({
      ...{ handle, ports, txQueue, arena, scratchAt, attached: new Map<number, OpenFd>() },
      ctl: new Int32Array(arena, 0, 8),
      rx: new Int32Array(arena, rxAt, rxSlots * RX_WORDS),
      tx: new Int32Array(arena, txAt, txQueue * TX_WORDS),
    });
  }

  #attach(): void {
    const { choices, packetIo } = this.#boundary;
    const device = this.#choose();
    const kinds = choices.chance(192) ? (['pair', 'tap', 'packet'] as const) : [];
    const open = this.#boundary.chooseFd(...kinds);
    if (!device || !open) return;
    const port = choices.below(device.ports + 1);
    const tap = open.kind !== 'packet' || choices.chance(16);
    const name = tap ? 'attachTap' : 'attachPacketSocket';
    const vnetHeader = choices.chance(128);
    const [givenPort, givenFd] = [odd(choices, port), odd(choices, open.fd)];
    const done = this.#boundary.attempt(name, () => [
      packetIo[name](this.#handle(device), givenPort, givenFd, odd(choices, vnetHeader)),
    ]);
    if (!done || givenPort !== port || givenFd !== open.fd) return;
    device.attached.set(port, open);
    open.users++;
  }

  /** Descriptors and numbers of frames as they come, then what the device made of them. */
  #step(): void {
    const { choices, packetIo } = this.#boundary;
    const device = this.#choose();
    if (!device) return;
    for (let i = 0; i < device.txQueue; i++) describe(device, i, choices);
    const queued = choices.below(device.txQueue + 3);
    const given = odd(choices, queued);
    const stepping = choices.chance(192);
    const name = stepping ? 'step' : 'flush';
    // Nothing that waits.
    const timeout = choices.pick([0, -1, Number.NaN, 'x', undefined]);
    const handle = this.#handle(device);
    const got = this.#boundary.attempt(name, () => [packetIo[name](handle, given, ...(stepping ? [timeout] : []))]);
    if (!got || given !== queued || handle !== device.handle) return;
    for (const status of checkSent(device, Math.min(queued, device.txQueue))) this.#boundary.note(`sent ${status}`);
    if (!stepping) return;
    for (const open of checkReceived(device, Number(got[0]))) this.#boundary.note(`received from ${open.kind}`);
  }

  #detach(): void {
    const { choices, packetIo } = this.#boundary;
    const device = this.#choose();
    if (!device) return;
    const port = choices.below(device.ports + 2);
    const handle = this.#handle(device);
    const done = this.#boundary.attempt('detach', () => [packetIo.detach(handle, port)]);
    const open = device.attached.get(port);
    if (!done || !open || handle !== device.handle) return;
    device.attached.delete(port);
    open.users--;
  }

  #wake(): void {
    const open = this.#boundary.chooseFd('event', 'pair');
    if (open) this.#boundary.call(this.#boundary.packetIo, 'wake', odd(this.#boundary.choices, open.fd));
  }

  #close(): void {
    const device = this.#choose();
    if (!device || this.#boundary.choices.chance(128)) return;
    this.#boundary.packetIo.close(device.handle);
    for (const open of device.attached.values()) open.users--;
    device.attached.clear();
    const { handle } = device;
    this.#boundary.attempt('step of a closed device', () => this.#boundary.packetIo.step(handle, 0, 0));
    this.#devices.splice(this.#devices.indexOf(device), 1);
  }

  #choose(): Device | undefined {
    return this.#devices.length === 0 ? undefined : this.#boundary.choices.pick(this.#devices);
  }

  #handle(device: Device): unknown {
    return odd(this.#boundary.choices, device.handle);
  }
}

/** Any tx descriptor: mostly of a frame in the scratch area. */
function describe({ tx, ports, attached, arena, scratchAt }: Device, i: number, choices: Choices): void {
  const wild = choices.chance(32);
  const edges = [0, -1, 2 ** 31 - 1, -(2 ** 31), arena.byteLength - 1, arena.byteLength, scratchAt - 4, 9, 10];
  const length = choices.pick(wild ? [...edges, 1] : [60, 1514, 1, 20_000]);
  const at = wild ? choices.pick(edges) : scratchAt + VNET_LEN + choices.below(4096);
  if (!wild) {
    const vnet = new Uint8Array(arena, at - VNET_LEN, VNET_LEN);
    vnet.set(choices.chance(32) ? choices.bytes(VNET_LEN) : new Uint8Array(VNET_LEN));
    new Uint8Array(arena, at, 16).set(choices.bytes(16));
  }
  const known = [...attached.keys()];
  const port = known.length > 0 && !choices.chance(32) ? choices.pick(known) : choices.below(ports + 2) - 1;
  tx.set([port, at, length, 0x7777], i * TX_WORDS);
}

/** Every descriptor has a status, and as many as are said failed. Returns the statuses. */
function checkSent({ ctl, tx }: Device, queued: number): Set<number> {
  const statuses = new Set<number>();
  let failed = 0;
  for (let i = 0; i < queued; i++) {
    const status = tx[i * TX_WORDS + STATUS];
    must(status >= 0 && status < 4096, () => `status ${status} of a descriptor`);
    if (status !== 0) failed++;
    statuses.add(status);
  }
  must(ctl[FAILED] === failed, () => `${ctl[FAILED]} descriptors failed, not ${failed}`);
  return statuses;
}

/** Every frame lies in the arena, with its header in front, and came by a port that is attached. Returns by which. */
function checkReceived({ rx, arena, attached, scratchAt }: Device, frames: number): Set<OpenFd> {
  must(frames >= 0 && frames * RX_WORDS <= rx.length, () => `${frames} frames`);
  const bytes = new Uint8Array(arena);
  const from = new Set<OpenFd>();
  for (let i = 0; i < frames; i++) {
    const [port, at, length] = rx.subarray(i * RX_WORDS, i * RX_WORDS + 3);
    const open = attached.get(port);
    must(open !== undefined, () => `a frame from port ${port}, which is not attached`);
    from.add(open);
    must(
      length > 0 && at - VNET_LEN > 0 && at + length <= arena.byteLength,
      () => `a frame of ${length} bytes at ${at}`,
    );
    must(
      at + length <= scratchAt || at > scratchAt + SCRATCH,
      () => `a frame of ${length} bytes at ${at}, in the scratch area`,
    );
    must(bytes[at - VNET_LEN] + bytes[at + length - 1] >= 0, () => 'unreadable');
  }
  return from;
}
