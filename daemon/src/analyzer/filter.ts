/** Which frames the sinks get: by network, host, direction, and by an expression on the frame itself. */
import { Exit, STATUS } from '../cli/exit.js';
import type { AnalyzerArgs } from './args.js';
import { parseExpression, type Test } from './filter-expression.js';
import { FrameFields } from './frame-fields.js';
import type { CaptureInterface, Frame, Origin } from './frame.js';

/** Whether a frame is wanted; undefined: all are. Throws Exit for an expression that is none. */
export function acceptor(
  args: Pick<AnalyzerArgs, 'networks' | 'hosts' | 'direction' | 'filter'>,
): ((frame: Frame) => boolean) | undefined {
  const { networks, hosts, direction, filter } = args;
  const test = filter.trim() === '' ? undefined : expression(filter);
  if (test === undefined && networks.length === 0 && hosts.length === 0 && direction === null) return undefined;
  const isWanted = (origin: Origin): boolean =>
    (direction === null || origin.direction === direction) &&
    (hosts.length === 0 || hosts.includes(origin.host)) &&
    (networks.length === 0 || networks.some((name) => isOf(name, origin.interface)));
  const known = new WeakMap<Origin, boolean>();
  const fields = new FrameFields();
  return ({ origin, bytes, at, length }) => {
    let wanted = known.get(origin);
    if (wanted === undefined) {
      wanted = isWanted(origin);
      known.set(origin, wanted);
    }
    if (!wanted || test === undefined) return wanted;
    fields.read(bytes, at, at + length);
    return test(fields);
  };
}

function expression(filter: string): Test {
  try {
    return parseExpression(filter);
  } catch (error) {
    throw new Exit(STATUS.usage, `--filter: ${(error as Error).message}; see vrouter analyzer --help`);
  }
}

/** A name is full, or the last part of one. */
const isOf = (name: string, { network }: CaptureInterface): boolean => network === name || network.endsWith(`:${name}`);
