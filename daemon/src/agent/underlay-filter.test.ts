import test from 'ava';
import fc from 'fast-check';
import type { BpfInstruction } from 'packet-io';
import { underlayFilter } from './underlay-filter.js';

/** What a program of the instructions used here returns for a frame: classic BPF as in linux/filter.h. */
function run(program: readonly BpfInstruction[], frame: Uint8Array, packetType = 0, hasTag = 0): number {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  let a = 0;
  let x = 0;
  const load = (at: number, size: 1 | 2 | 4): number | undefined => {
    if (at + size > frame.length) return undefined;
    return size === 1 ? view.getUint8(at) : size === 2 ? view.getUint16(at) : view.getUint32(at);
  };
  for (let pc = 0; ; pc++) {
    const [code, ifTrue, ifFalse, k] = program[pc];
    const jump = (holds: boolean): void => void (pc += holds ? ifTrue : ifFalse);
    let value: number | undefined = 0;
    if (code === 0x20 && k === 0xfffff004) a = packetType;
    else if (code === 0x20 && k === 0xfffff030) a = hasTag;
    else if (code === 0x20) value = load(k, 4);
    else if (code === 0x28) value = load(k, 2);
    else if (code === 0x30) value = load(k, 1);
    else if (code === 0x40) value = load(k + x, 4);
    else if (code === 0x48) value = load(k + x, 2);
    else if (code === 0x50) value = load(k + x, 1);
    else if (code === 0xb1) value = load(k, 1);
    else if (code === 0x15) jump(a === k);
    else if (code === 0x45) jump((a & k) !== 0);
    else if (code === 0x35) jump(a >= k);
    else if (code === 0x06) return k;
    else throw new Error(`no instruction ${code}`);
    if (value === undefined) return 0;
    if (code === 0xb1) x = (value & 15) * 4;
    else if (code < 0x60 && (code & 7) === 0 && k < 0xfffff000) a = value;
  }
}

const US4 = '192.0.2.1';
const US6 = '2001:db8::1';
const bytes = (text: string): number[] =>
  text.includes(':')
    ? [0x20, 0x01, 0x0d, 0xb8, ...Array.from({ length: 11 }, () => 0), Number(text.at(-1))]
    : text.split('.').map(Number);

interface Header {
  readonly v6: boolean;
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  /** 32-bit words of options. */
  readonly options?: number;
  readonly fragment?: number;
}

function ip({ v6, source, destination, protocol, options = 0, fragment = 0 }: Header): number[] {
  if (v6) return [0x60, 0, 0, 0, 0, 0, protocol, 64, ...bytes(source), ...bytes(destination)];
  const fixed = [0x45 + options, 0, 0, 0, 0, 0, fragment >> 8, fragment & 0xff, 64, protocol, 0, 0];
  return [...fixed, ...bytes(source), ...bytes(destination), ...Array.from({ length: options * 4 }, () => 1)];
}

const udp = (port: number): number[] => [0xc0, 0, port >> 8, port & 0xff, 0, 0, 0, 0];
const frameOf = (v6: boolean, ...body: readonly number[]): Uint8Array =>
  Uint8Array.from([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, ...(v6 ? [0x86, 0xdd] : [8, 0]), ...body]);

const anyPort = fc.oneof(fc.constantFrom(6635, 51234, 4789), fc.nat(65535));
const anyProtocol = fc.oneof(fc.constantFrom(47, 17, 1, 58), fc.nat(255));
const tunnels = (protocol: number, port: number): boolean =>
  protocol === 47 || (protocol === 17 && [6635, 51234, 4789].includes(port));

for (const family of [4, 6] as const) {
  const v6 = family === 6;
  const us = v6 ? US6 : US4;
  const others = v6 ? ['2001:db8::2', '2001:db8::3'] : ['192.0.2.2', '192.0.2.3'];
  const anyAddress = fc.constantFrom(us, ...others);
  const program = underlayFilter(us);

  test(`of IPv${family} packets only tunnel packets to us pass, and ICMP errors about ours`, (t) => {
    const header = fc.record({
      destination: anyAddress,
      protocol: anyProtocol,
      port: anyPort,
      options: fc.nat(v6 ? 0 : 10),
      fragment: fc.constantFrom(0, 0, 0, 0x4000, ...(v6 ? [] : [0x2000, 1, 0x3fff])),
      icmpType: fc.oneof(fc.constantFrom(3, 11, 12, 1, 2), fc.nat(255)),
      quoted: fc.record({ source: anyAddress, protocol: anyProtocol, port: anyPort }),
    });
    let passed = 0;
    fc.assert(
      fc.property(header, ({ destination, protocol, port, options, fragment, icmpType, quoted }) => {
        const isIcmp = protocol === (v6 ? 58 : 1);
        const error = [
          icmpType,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          ...ip({ v6, destination: others[0], ...quoted }),
          ...udp(quoted.port),
        ];
        const outer = ip({ v6, source: others[0], destination, protocol, options, fragment });
        const frame = frameOf(v6, ...outer, ...(isIcmp ? error : udp(port)));
        const isError = v6 ? icmpType < 128 : [3, 11, 12].includes(icmpType);
        const about = isError && quoted.source === us && tunnels(quoted.protocol, quoted.port);
        const wanted = destination === us && (fragment & 0x3fff) === 0 && (isIcmp ? about : tunnels(protocol, port));
        t.is(run(program, frame) > 0, wanted);
        if (wanted) passed++;
        // Cut anywhere, a frame is never read beyond its end, and what was no tunnel packet does not become one.
        if (!wanted) for (let n = 0; n < frame.length; n += 7) t.is(run(program, frame.subarray(0, n)), 0);
      }),
      { numRuns: 500 },
    );
    t.true(passed > 0);
  });

  test(`IPv${family} frames to another MAC, and tagged ones, do not pass`, (t) => {
    const frame = frameOf(v6, ...ip({ v6, source: others[0], destination: us, protocol: 17 }), ...udp(6635));
    t.true(run(program, frame) >= 65_536);
    t.is(run(program, frame, 3), 0);
    t.is(run(program, frame, 4), 0, 'what we send ourselves');
    t.is(run(program, frame, 0, 1), 0);
  });

  test(`the program for IPv${family} is as short as the kernel wants, and ends`, (t) => {
    t.true(program.length < 4096);
    for (const [i, [code, ifTrue, ifFalse]] of program.entries()) {
      t.true(code === 0x06 || i + 1 + Math.max(ifTrue, ifFalse) < program.length);
    }
  });
}

test('packets of the other family do not pass', (t) => {
  const v4 = frameOf(false, ...ip({ v6: false, source: '192.0.2.2', destination: US4, protocol: 47 }), 0, 0);
  t.true(run(underlayFilter(US4), v4) > 0);
  t.is(run(underlayFilter(US6), v4), 0);
});
