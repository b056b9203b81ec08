/**
 * A program for tests: ports alone, without the daemon around them, in the namespace it is started in. Takes one request a line
 * from standard input, `{ensure: [PortSpec]}`, `{remove: [{device, attach}]}` or `{removeOthers: [device]}`, and answers each with one
 * line of JSON. Its argument is the owner of what it makes.
 */
import { createInterface } from 'node:readline';
import { runCommand } from 'vrouterd/dist/agent/command.js';
import { kernel } from 'vrouterd/dist/agent/kernel.js';
import { PortMarks } from 'vrouterd/dist/agent/port-mark.js';
import { Ports, type PortSpec } from 'vrouterd/dist/agent/ports.js';

export interface Request {
  readonly ensure?: readonly PortSpec[];
  readonly remove?: readonly Pick<PortSpec, 'device' | 'attach'>[];
  readonly removeOthers?: readonly string[];
}

/** Per vif: the port, or the message of the error. */
export type Answer = Readonly<Record<string, { kind: string; ifindex?: number; vnetHeader: boolean } | string>> & {
  /** Ports that were removed as unknown, if that was asked for. */
  readonly removed?: readonly string[];
  /** Programs run for the request. */
  readonly processes: number;
};

let processes = 0;
const ports = new Ports({
  run(command, input) {
    processes++;
    return runCommand(command, input);
  },
  kernel,
  marks: new PortMarks(process.argv[2]),
  log: { info: () => undefined },
});

for await (const line of createInterface({ input: process.stdin })) {
  const { ensure, remove, removeOthers } = JSON.parse(line) as Request;
  processes = 0;
  const answer: Record<string, unknown> = {};
  if (remove) await ports.remove(remove);
  if (removeOthers) answer['removed'] = await ports.removeOthers(new Set(removeOthers));
  for (const [vif, port] of ensure ? await ports.ensure(ensure) : []) {
    if (!(port instanceof Error) && port.kind === 'tap') kernel.closeFd(port.fd);
    answer[String(vif)] = port instanceof Error ? port.message : port;
  }
  process.stdout.write(JSON.stringify({ ...answer, processes }) + '\n');
}
