import type { Attach } from '../control/virtual-machine-interface.js';
import type { Kernel } from './kernel.js';
import type { PortMarks } from './port-mark.js';

/** Why a device of this host cannot become that of a port, completing "it is ..."; undefined: it can. */
export function deviceProblem(
  device: string,
  attach: Attach,
  kernel: Pick<Kernel, 'links'>,
  marks: PortMarks,
): string | undefined {
  const link = kernel.links().find(({ name }) => name === device);
  if (attach.type === 'device') return link ? undefined : 'not an interface of this host; name one that exists';
  if (!link || marks.isOurs(link, device)) return undefined;
  return 'the name of an interface that is not ours; remove it or choose another name';
}
