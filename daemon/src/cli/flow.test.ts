import test from 'ava';

import type { FlowDump } from '../control/flow-dumps.js';
import { parseFlowMatch } from '../control/flow-match.js';
import { encapNexthop, flowTable, guestVif, inetRoute, mirrorDump, tcpFlow } from '../testing/dumps.js';
import { surroundings } from '../testing/surroundings.js';
import type { Daemon, FlowListing } from './client.js';
import { Exit, STATUS } from './exit.js';
import { flow } from './flow.js';
import { parseArgs } from './flow-args.js';
import { formatConditions, formatFlow, formatHeader, formatTitles } from './flow-format.js';

const HEADER = `Flow table(size 80609280, entries 629760)

Entries: Created 7 Added 14 Deleted 12 Changed 1Processed 7 Used Overflow entries 0
(Created Flows/CPU: 7)(oflows 0)

Action:F=Forward, D=Drop N=NAT(S=SNAT, D=DNAT, Ps=SPAT, Pd=DPAT, L=Link Local Port)
 Other:K(nh)=Key_Nexthop, S(nh)=RPF_Nexthop
 Flags:E=Evicted, Ec=Evict Candidate, N=New Flow, M=Modified Dm=Delete Marked
TCP(r=reverse):S=SYN, F=FIN, R=RST, C=HalfClose, E=Established, D=Dead

`;
const TITLES = `    Index                Source:Port/Destination:Port                      Proto(V)
-----------------------------------------------------------------------------------
`;
const ENTRY = `   131252<=>202092       8.8.8.8:22                                          6 (8)
                         10.10.0.1:64165
(Gen: 1, K(nh):122, Action:F, Flags:, TCP:SSrEEr, QOS:-1, S(nh):20,  Stats:12/2765, 
 SPort 56468, TTL 0, Sinfo 192.168.200.12)

`;

/** Lines of the text that describes an entry's state. */
const state = (changes: Partial<FlowDump>): string[] => formatFlow(tcpFlow(changes)).split('\n').slice(2);

test('an entry is printed to the column, blanks at the ends of lines included', (t) => {
  t.is(formatFlow(tcpFlow()), ENTRY);
});

test('a short port is followed by blanks up to five columns', (t) => {
  const [, second] = formatFlow(tcpFlow({ destinationPort: 22 })).split('\n');
  t.is(second, '                         10.10.0.1:22   ');
});

test('an entry without a reverse one leaves its column blank', (t) => {
  t.regex(formatFlow(tcpFlow({ reverse: null })), /^ {3}131252 {16}8\.8\.8\.8:22 /);
});

test('a flow that changes VRF names both', (t) => {
  t.regex(formatFlow(tcpFlow({ destinationVrf: 9 })), / {6}6 \(8->9\)\n/);
});

test('IPv6 addresses have the layout of IPv4 ones, and may be longer than their column', (t) => {
  const six = { family: 'inet6', source: 'fd00::1', sourcePort: 80, protocol: 58 } as const;
  const [first] = formatFlow(tcpFlow(six)).split('\n');
  t.is(first, `   131252<=>202092       ${'fd00::1:80'.padEnd(46)}     58 (8)`);
  const source = '2001:db8:1111:2222:3333:4444:5555:6666';
  const [long] = formatFlow(tcpFlow({ ...six, source })).split('\n');
  t.is(long, `   131252<=>202092       ${source}:80            58 (8)`);
});

test('TCP letters are printed for TCP alone', (t) => {
  const [line, rest] = state({ protocol: 17, tcp: [], packets: 3, bytes: 60 });
  t.is(line, '(Gen: 1, K(nh):122, Action:F, Flags:, QOS:-1, S(nh):20,  Stats:3/60,  SPort 56468,');
  t.is(rest, ' TTL 0, Sinfo 192.168.200.12)');
  t.true(state({ tcp: [] })[0].includes(' TCP:, QOS:-1, '));
});

test('a source nobody checks is S(nh) 0', (t) => {
  t.true(state({ rpfNexthop: null })[0].includes(', S(nh):0,  Stats'));
});

test('actions, flags and the ECMP member are printed', (t) => {
  t.true(state({ action: 'drop', dropReason: 'OutPolicy' })[0].includes(' Action:D(OutPolicy), Flags:, '));
  t.true(state({ action: 'hold' })[0].includes(' Action:H, '));
  t.true(state({ action: 'nat', nat: ['S', 'Ps'] })[0].includes(' Action:N(SPs), '));
  t.true(state({ flags: ['E', 'Dm'], ecmpMember: 1 })[0].includes(' Flags:EDm, TCP:SSrEEr, E:1, QOS:-1, '));
});

test('a line that has become long breaks behind S(nh) already', (t) => {
  const lines = state({ action: 'drop', dropReason: 'RevOutFWAASPolicy', keyNexthop: 1234 });
  t.deepEqual(lines.slice(0, 3), [
    '(Gen: 1, K(nh):1234, Action:D(RevOutFWAASPolicy), Flags:, TCP:SSrEEr, QOS:-1, S(nh):20, ',
    ' Stats:12/2765,  SPort 56468, TTL 0, Sinfo 192.168.200.12)',
    '',
  ]);
});

test('mirrors are printed in front of the ports', (t) => {
  t.is(state({ mirrors: [5] })[1], ' Mirror Index : 5 SPort 56468, TTL 0, Sinfo 192.168.200.12)');
  t.is(state({ mirrors: [5, 6] })[1], ' Mirror Index : 5, 6,  SPort 56468, TTL 0, Sinfo 192.168.200.12)');
});

test('the overflow of a bucket is listed behind its last entry', (t) => {
  const overflow = Array.from({ length: 12 }, (_, i) => 524_288 + i);
  const lines = state({ overflow }).slice(2);
  t.deepEqual(lines, [
    '     Oflow entries:',
    '\t524288 524289 524290 524291 524292 524293 524294 524295 524296 524297 ',
    '\t524298 524299 ',
    '',
    '',
  ]);
});

test('names are a line of their own: default projects are left out, ignored ends are any', (t) => {
  const vm = (name: string) => `default-domain:default-project:${name}`;
  const end = { vmi: vm('vm1'), network: vm('blue'), prefixLength: 32 };
  const names = (changes: Partial<FlowDump>) => state(changes)[2];
  const none = { vmi: null, network: null };
  t.is(
    names({ names: { source: end, destination: { ...none, prefixLength: 32 }, rule: null } }),
    ' Names vm1 (blue) -> -',
  );
  const elsewhere = { vmi: 'd:other:vm2', network: 'd:other:red', prefixLength: 32 };
  t.is(
    names({ names: { source: elsewhere, destination: end, rule: 'NetworkPolicy/web rules[1]' } }),
    ' Names d:other:vm2 (d:other:red) -> vm1 (blue), by NetworkPolicy/web rules[1]',
  );
  const ignored = { ...none, prefixLength: 0 };
  const folded = { vmi: null, network: vm('blue'), prefixLength: 28 };
  t.is(
    names({ destination: '10.64.0.16', names: { source: ignored, destination: folded, rule: null } }),
    ' Names any -> 10.64.0.16/28 (blue)',
  );
});

test('a listing says what it is restricted to', (t) => {
  const conditions = (expression: string) => formatConditions(parseFlowMatch(expression));
  t.is(conditions('10.10.0.1 & vrf 8'), '[10.10.0.1]:*, VRF 8');
  t.is(conditions('vrf 3 & proto icmp6 & fd00::1, *:0'), '[fd00::1]:*, [*]:0, Protocol ICMPv6, VRF 3');
  t.is(formatTitles(parseFlowMatch('vrf 0')), TITLES);
  t.is(formatTitles(null), TITLES);
});

/** Runs the tool; returns all it printed. */
async function output(argv: readonly string[], daemon: Partial<Daemon>): Promise<string> {
  let printed = '';
  const print = (text: string): Promise<void> => Promise.resolve(void (printed += text));
  const rest = await flow.run(argv, surroundings(daemon, { print }));
  return printed + rest;
}

function listing(flows: readonly FlowDump[]): { daemon: Partial<Daemon>; asked: FlowListing[] } {
  const asked: FlowListing[] = [];
  const daemon: Partial<Daemon> = {
    flowTable: () => Promise.resolve(flowTable()),
    flows: async function* (of) {
      asked.push(of);
      for (const one of flows) yield await Promise.resolve(one);
    },
  };
  return { daemon, asked };
}

test('-l prints the table, the letters, the titles and the entries', async (t) => {
  t.is(await output(['-l'], listing([tcpFlow()]).daemon), HEADER + TITLES + ENTRY);
  t.is(await output(['-l'], listing([]).daemon), formatHeader(flowTable()) + TITLES);
});

test('a listing longer than one piece has every entry once', async (t) => {
  const flows = Array.from({ length: 1025 }, (_, index) => tcpFlow({ index }));
  const text = await output(['-l'], listing(flows).daemon);
  t.is(text, HEADER + TITLES + flows.map(formatFlow).join(''));
});

test('--match lists what matches, without -l too, and the daemon selects', async (t) => {
  const { daemon, asked } = listing([tcpFlow()]);
  const text = await output(['--match', '10.10.0.1 & vrf 8'], daemon);
  t.is(text, `${HEADER}Listing flows matching ([10.10.0.1]:*, VRF 8)\n\n${TITLES}${ENTRY}`);
  t.like(asked[0], { match: '10.10.0.1 & vrf 8', evicted: undefined, names: undefined, sort: undefined });
  await output(['-l', '--match', 'vrf 8', '--names', '--show-evicted', '--sort', 'age', '--top', '3'], daemon);
  t.deepEqual(asked.at(-1), { match: 'vrf 8', evicted: true, names: true, sort: 'age', top: 3 });
});

test('--json prints an array of the records, whatever their number', async (t) => {
  for (const length of [0, 1, 2, 700]) {
    const flows = Array.from({ length }, (_, index) => tcpFlow({ index }));
    const text = await output(['-l', '--json'], listing(flows).daemon);
    t.is(text, `${JSON.stringify(flows, null, 2)}\n`);
  }
});

test('flows are changed and flushed', async (t) => {
  const asked: unknown[] = [];
  const daemon: Partial<Daemon> = {
    changeFlow: (index, op) => Promise.resolve(void asked.push(`${op} ${index}`)),
    flushFlows: (match) => Promise.resolve(asked.push(match)),
  };
  const run = (...argv: string[]) => flow.run(argv, surroundings(daemon));
  for (const option of ['-f', '-d', '-i', '-e', '--force-evict']) t.is(await run(option, '8'), '');
  t.deepEqual(asked, ['forward 8', 'drop 8', 'delete 8', 'evict 8', 'evict 8']);
  t.is(await run('-F'), '6 pairs deleted\n');
  t.is(await run('-F', '--match', 'vrf 8'), '7 pairs deleted\n');
  t.deepEqual(asked.slice(5), [undefined, 'vrf 8']);
});

test('bad options print the usage and end with status 234', (t) => {
  const bad = [
    [],
    ['-l', '-s'],
    ['-r', '-s'],
    ['-f', '1', '-d', '1'],
    ['-g', 'x'],
    ['-g', '-1'],
    ['-g', '9999999999'],
    ['-f'],
    ['-p', '10'],
    ['-b', '3'],
    ['-f', '1', '--mirror', '2'],
    ['--show-evicted'],
    ['-s', '--match', 'vrf 1'],
    ['-f', '1', '--match', 'vrf 1'],
    ['-s', '--names'],
    ['--names'],
    ['--top', '3'],
    ['-l', '--top', '0'],
    ['-l', '--sort', 'colour'],
    ['-s', '--json'],
    ['--watch', '--json'],
    ['-l', 'more'],
  ];
  for (const argv of bad) {
    const exit = t.throws(() => parseArgs(argv), { instanceOf: Exit }, argv.join(' '));
    t.is(exit.status, 234, argv.join(' '));
    t.regex(exit.out, /^Usage: flow /);
  }
  t.regex(t.throws(() => parseArgs(['-g', 'x']), { instanceOf: Exit }).message, /Invalid flow index value x/);
});

test('an expression that cannot be meant ends with status 234 and its own words', (t) => {
  for (const argv of [
    ['--match', '& vrf 1'],
    ['-F', '--match', '& vrf 1'],
    ['--watch', '--match', '& vrf 1'],
  ]) {
    // prettier-ignore
    const exit = t.throws(() => parseArgs(argv), { instanceOf: Exit });
    t.is(exit.status, 234);
    t.regex(exit.message, /^Malformed request: separator used incorrectly/);
  }
  t.regex(
    t.throws(() => parseArgs(['--match', 'proto gre']), { instanceOf: Exit }).message,
    /^Unsupported protocol "gre"/,
  );
});

test('--help shows the grammar of expressions', (t) => {
  const exit = t.throws(() => parseArgs(['--help']), { instanceOf: Exit });
  t.is(exit.status, 0);
  t.regex(exit.out, /proto tcp\|udp\|icmp\|icmp6\|sctp/);
});

/** A daemon that knows one pair, its routes and nexthops. */
function known(changes: Partial<FlowDump> = {}): Partial<Daemon> {
  const gone = (): Promise<never> => Promise.reject(new Exit(STATUS.refused, 'No such file or directory'));
  return {
    flow: (index) => {
      const reverse = { source: '10.10.0.1', sourcePort: 64165, destination: '8.8.8.8', destinationPort: 22 };
      return Promise.resolve(index === 131252 ? tcpFlow(changes) : tcpFlow({ index, reverse: 131252, ...reverse }));
    },
    nexthop: (id) => (id === 1 ? gone() : Promise.resolve(encapNexthop({ id }))),
    vif: (id) => Promise.resolve(guestVif({ id })),
    mirror: (id) => (id === 3 ? Promise.resolve(mirrorDump({ name: 'dpi' })) : gone()),
    inetRoute: (_vrf, _family, prefix, length) =>
      prefix === '8.8.8.8' ? gone() : Promise.resolve(inetRoute({ prefix, length, nexthop: 81, stitchedMac: '02:0a:00:00:00:01' })), // prettier-ignore
    dropstats: () => Promise.resolve({ 'Invalid Source': 3, 'Flow Action Drop': 4 }),
  };
}

async function details(changes: Partial<FlowDump> = {}, ...more: string[]): Promise<string> {
  let shown = '';
  const screen = { rows: () => 24, show: (text: string) => void (shown = text), key: () => Promise.resolve('q'), now: () => new Date(0) }; // prettier-ignore
  const out = await flow.run(['--get', '131252', ...more], surroundings(known(changes), { screen }));
  return shown + out;
}

test('--get shows one flow with its routes, nexthops and interfaces', async (t) => {
  t.is(
    await details(),
    `Flow Index                    131252
Flow Generation ID            1
Reverse Flow Index            202092
VRF                           8
Destination VRF               8
Flow Source                   [8.8.8.8]:22
Flow Destination              [10.10.0.1]:64165
Flow Protocol                 TCP
Flow Action                   FORWARD
Expected Source               NextHop(Index, VRF, Type): 20, 7, ENCAP
                              Ingress Interface(Index, VRF, OS): vif0/8, 7, tapaaf088f0-65
                              Interface Statistics(Out, In, Errors): 612, 479, 0
Source Information            VRF: 8
                              Layer 3 Route Information
                              Matching Route: none
Destination Information       VRF: 8
                              Layer 3 Route Information
                              Matching Route: 10.10.0.1/32
                              NextHop(Index, VRF, Type): 81, 7, ENCAP
                              Interface(Index, VRF, OS): vif0/8, 7, tapaaf088f0-65
                              Interface Statistics(Out, In, Errors): 612, 479, 0
                              Layer 2 Route Information
                              DestinationMAC: 2:a:0:0:0:1
Flow Flags                    none
TCP FLAGS                     SYN, SYN(REVERSE), ESTABLISHED, ESTABLISHED(REVERSE)
UDP Source Port               56468
Flow Statistics               12/2765
System Wide Packet Drops      Reverse Path Failures: 3
                              Flow Block Drops: 4
`,
  );
});

test('--get tells why packets are dropped, and what they are translated to', async (t) => {
  t.regex(await details({ action: 'drop', dropReason: 'SG' }), /\nFlow Action {19}DROP: SG\n/);
  t.regex(
    await details({ action: 'nat', nat: ['S', 'Ps'], mirrors: [3, 4], rpfNexthop: null }),
    /\nFlow Action {19}NAT: SourceNAT, SourcePortNAT\n {30}NAT\(Source, Destination\): \[8\.8\.8\.8\]:22, \[10\.10\.0\.1\]:64165\nExpected Source {15}not checked\n/,
  );
});

test('--get names the analyzers packets are copied for', async (t) => {
  const shown = await details({ flags: ['Ec'], mirrors: [3, 4] });
  t.regex(shown, /\nFlow Flags {20}EVICT CANDIDATE, MIRROR\n/);
  t.regex(
    shown,
    /\nMirror Index {18}3, 4\nPrimary Mirror {16}Analyzer: dpi\n {30}NextHop\(Index, VRF, Type\): 129, 7, ENCAP\n[^]*\nSecondary Mirror {14}none\nFlow Statistics/,
  );
  t.regex(await details({ mirrors: [3] }), /\nFlow Flags {20}MIRROR\n[^]*\nMirror Index {18}3\n/);
});

test('--get of an evicted entry wants --show-evicted', async (t) => {
  await t.throwsAsync(details({ flags: ['E'] }), {
    instanceOf: Exit,
    message: 'Flow at index 131252 is EVICTED. Use --show-evicted',
  });
  t.regex(await details({ flags: ['E'] }, '--show-evicted'), /\nFlow Flags {20}EVICTED\n/);
});

test('--get --json is the record', async (t) => {
  t.deepEqual(JSON.parse(await details({}, '--json')), tcpFlow());
});
