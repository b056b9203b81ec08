import type { Kernel, Link } from './kernel.js';
import { wasTakenOver } from './port-device.js';
import type { PortMarks } from './port-mark.js';
import type { RemovablePort } from './port-plan.js';

const OWN_NAMESPACE = '/proc/self/ns/net';

/**
 * Every port of which something bears our mark, as far as it takes to remove it: what is in the daemon's namespace, and TAPs in the
 * namespaces `ip netns` knows. (The end of a veth in there goes with the one here.)
 */
export function markedPorts(kernel: Kernel, marks: PortMarks): readonly RemovablePort[] {
  const here = kernel.links().filter((link) => marks.isOurs(link, link.name));
  const own = kernel.namespaceOf(OWN_NAMESPACE);
  const others = kernel.namespaces().filter((netns) => kernel.namespaceOf(netns) !== own);
  return [...here.map((link) => portHere(link, marks)), ...others.flatMap((netns) => tapsInside(netns, kernel, marks))];
}

function portHere(link: Link, marks: PortMarks): RemovablePort {
  const device = link.name;
  return {
    device,
    attach: wasTakenOver(marks.noteOf(link)) ? { type: 'device', device } : { type: 'tap', offloads: true },
  };
}

function tapsInside(netns: string, kernel: Kernel, marks: PortMarks): readonly RemovablePort[] {
  return linksInside(netns, kernel).flatMap((link) => {
    const device = marks.portOf(link);
    if (device === undefined || link.kind !== 'tun') return [];
    return [
      { device, attach: { type: 'netns', netns, ifName: link.name, port: 'tap', configure: false, offloads: true } },
    ];
  });
}

/** None when the namespace is gone meanwhile, or is not one yet. */
function linksInside(netns: string, kernel: Kernel): readonly Link[] {
  try {
    return kernel.links(netns);
  } catch {
    return [];
  }
}
