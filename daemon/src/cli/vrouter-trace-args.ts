/** The command line of `vrouter trace`. */
import { type Command, InvalidArgumentError, Option } from 'commander';

import type { TraceOutcome } from '../control/trace-dumps.js';
import { index } from './tool.js';
import type { CommonOptions } from './tool.js';

const OUTCOMES: readonly TraceOutcome[] = ['sent', 'dropped', 'agent', 'answered', 'waits'];
const LIVE_SECONDS = 60;
const LIVE_COUNT = 10;

/** A packet that is not real, or (`live`) the next real ones. */
export type TraceArgs = CommonOptions & {
  readonly op: 'trace';
  /** Outcome a script relies on: another one is a failure. */
  readonly expect?: TraceOutcome;
} & (
    | { readonly live: string; readonly count: number; readonly timeout: number }
    | {
        readonly live?: undefined;
        readonly vmi: string;
        /** Words of the packet, or of a frame in hex. */
        readonly packet?: string;
        readonly hex?: string;
        /** A capture file, and which of its frames, from 1. */
        readonly pcap?: { readonly file: string; readonly frame: number };
        readonly frame: FrameOptions;
        /** Sockets of the daemons of other hosts, where the trace goes on. */
        readonly then: readonly string[];
      }
  );

interface FrameOptions {
  readonly srcMac?: string;
  readonly dstMac?: string;
  readonly ttl?: number;
  readonly length?: number;
  readonly vlan?: number;
}

interface Given extends CommonOptions, FrameOptions {
  readonly expect?: TraceOutcome;
  readonly live?: string;
  readonly count: number;
  readonly timeout: number;
  readonly hex?: true;
  readonly pcap?: string;
  readonly then?: readonly string[];
}

const HELP = `
PACKET, from the guest behind VMI (a name, or vif0/N); what is left out is the guest's own:
  tcp|udp|sctp [SOURCE to] DESTINATION [syn|ack|fin|rst|psh ...]   an end: ADDRESS, ADDRESS:PORT, [V6]:PORT, :PORT
  icmp         [SOURCE to] DESTINATION [reply]
  proto N      [SOURCE to] DESTINATION
  arp|nd       who-has ADDRESS [tell ADDRESS]
  arp          announce [ADDRESS]
  dhcp         discover|request
'>' is as good as 'to', but a shell wants it quoted.

MATCH is what flow --match takes, and: any, tcp, udp, icmp, icmp6, sctp, arp, vmi NAME, vif N; joined by '&'.

From another host: VMI is fabric:HOST (a name or an address), and PACKET begins with 'label N' or 'vni N' and names its source.

A packet that leaves for another host ends here with the command that goes on there. With --then, once for each other daemon
whose socket can be reached from here, the trace goes on by itself.

A dry run goes through the stages of the datapath and changes nothing. The exit status is 0 for a dropped packet too;
with --expect it is 1 when another thing became of a packet, or (--live) none came.

  vrouter trace vm1 icmp 10.0.0.6
  vrouter trace vm1 'tcp 10.0.0.5:1234 > 8.8.8.8:22 syn' --expect dropped
  vrouter trace vm1 --pcap ping.pcap 3
  vrouter trace vm1 icmp 10.0.0.6 --then /run/vrouterd-b/vrouterd.sock
  vrouter trace fabric:host-b label 25 icmp 10.0.0.6 to 10.0.0.5
  vrouter trace --live 'vmi vm1 & icmp' --count 4`;

/** Adds the command; `hand` gets what it was asked, `fail` makes an error of what is missing. */
export function addTrace(command: Command, hand: (request: TraceArgs) => void, fail: (message: string) => Error): void {
  command
    .usage('[options] VMI PACKET | VMI --hex DIGITS | VMI --pcap FILE [N] | --live MATCH')
    .argument('[words...]')
    .option('--live <match>', 'trace the next real packets that match')
    .option('--count <n>', 'with --live: so many at most', index, LIVE_COUNT)
    .option('--timeout <seconds>', 'with --live: so long at most', seconds, LIVE_SECONDS)
    .option('--hex', 'the packet is a whole frame in hex')
    .option('--pcap <file>', 'the packet is the first, or the Nth, frame of a capture file')
    .option('--src-mac <mac>', "MAC the frame comes from (default: the guest's)")
    .option('--dst-mac <mac>', 'MAC the frame goes to (default: what ARP tells the guest)')
    .option('--ttl <n>', 'TTL or hop limit (default: 64)', index)
    .option('--length <bytes>', 'length of the whole frame', index)
    .option('--vlan <id>', 'VLAN tag (default: none)', index)
    .option('--then <socket>', 'daemon of another host the trace may go on in; may be given again', collect)
    .addOption(new Option('--expect <outcome>', 'fail when another thing becomes of the packet').choices(OUTCOMES))
    .addHelpText('after', HELP)
    .action((words: readonly string[], given: Given) => {
      hand(requestOf(words, given, fail));
    });
}

function requestOf(words: readonly string[], given: Given, fail: (message: string) => Error): TraceArgs {
  const { json, socket, expect, live, count, timeout, hex, pcap, then = [], ...rest } = given;
  const common = {
    op: 'trace',
    ...(json && { json }),
    ...(socket !== undefined && { socket }),
    ...(expect && { expect }),
  } as const;
  if (live !== undefined) {
    if (words.length > 0) throw fail('--live goes without a packet');
    if (then.length > 0) throw fail('--then goes with a dry run; trace live on each host');
    if (count < 1 || count > 1000) throw fail('--count is from 1 to 1000');
    return { ...common, live, count, timeout };
  }
  const [vmi, ...packet] = words;
  if (words.length === 0) throw fail('say which interface the packet comes from');
  const text = packet.join(' ');
  if (pcap !== undefined) {
    if (!/^\d*$/.test(text) || text === '0') throw fail(`'${text}' is no number of a frame`);
    return { ...common, vmi, pcap: { file: pcap, frame: Number(text === '' ? 1 : text) }, frame: rest, then };
  }
  if (text === '') throw fail('the packet is missing');
  return { ...common, vmi, ...(hex ? { hex: text } : { packet: text }), frame: rest, then };
}

const collect = (socket: string, before: readonly string[] = []): readonly string[] => [...before, socket];

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0 && value <= 3600)) throw new InvalidArgumentError('Use seconds up to 3600.');
  return value;
}
