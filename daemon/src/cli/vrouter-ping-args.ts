/** The command lines of `vrouter ping` and `vrouter traceroute`. */
import { type Command, InvalidArgumentError } from 'commander';

import type { CommonOptions } from './tool.js';

/** Who is asked: a host on the underlay, or (`network`) an address of a network. */
interface Target extends CommonOptions {
  /** A host, an address, or the name of a virtual machine interface. */
  readonly target: string;
  readonly network?: string;
}

export interface PingArgs extends Target {
  readonly op: 'ping';
  /** Absent: until Ctrl-C. */
  readonly count?: number;
  /** Seconds from one to the next, and for which an answer is waited. */
  readonly interval: number;
  readonly timeout: number;
}

export interface TracerouteArgs extends Target {
  readonly op: 'traceroute';
  readonly maxHops: number;
  /** Seconds. */
  readonly timeout: number;
}

const TARGETS = `
TARGET is a host (its name in vrouter get hosts, a name of the DNS, an address), reached on the underlay with ICMP; this needs root.
With --network, it is an address of that network, or an interface (vrouter get vmi): how far packets for it get through the tunnel.`;

export function addPing(command: Command, hand: (request: PingArgs) => void): void {
  command
    .argument('<target>')
    .option('--network <name>', 'ask about an address of this network')
    .option('-c, --count <n>', 'so many, then end (default: until Ctrl-C)', number(1, 1_000_000))
    .option('-i, --interval <seconds>', 'time from one to the next', number(0.01, 3600), 1)
    .option('-W, --timeout <seconds>', 'how long an answer is waited for', number(0.01, 60), 1)
    .addHelpText(
      'after',
      `${TARGETS}

The exit status is 0 when there was an answer, 1 when there was none. What is broken is said in the last line: here, on the
underlay, or there.

  vrouter ping host-b -c 3
  vrouter ping 10.0.0.6 --network blue
  vrouter ping vm2 --network blue`,
    )
    .action((target: string, options: Omit<PingArgs, 'op' | 'target'>) => {
      hand({ op: 'ping', target, ...options });
    });
}

export function addTraceroute(command: Command, hand: (request: TracerouteArgs) => void): void {
  command
    .argument('<target>')
    .option('--network <name>', 'ask about an address of this network')
    .option('-m, --max-hops <n>', 'give up behind so many hops', number(1, 255), 30)
    .option('-W, --timeout <seconds>', 'how long an answer is waited for', number(0.01, 60), 1)
    .addHelpText(
      'after',
      `${TARGETS}

The exit status is 0 when the target was reached.

  vrouter traceroute host-b
  vrouter traceroute 10.0.0.6 --network blue`,
    )
    .action((target: string, options: Omit<TracerouteArgs, 'op' | 'target'>) => {
      hand({ op: 'traceroute', target, ...options });
    });
}

const number =
  (least: number, most: number) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= least && value <= most) || (least >= 1 && !Number.isInteger(value)))
      throw new InvalidArgumentError(`Use ${least} to ${most}.`);
    return value;
  };
