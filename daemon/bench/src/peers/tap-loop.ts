import { guestNamespaces, addressedGuests, tool } from './guest.js';
import type { Contender } from './contender.js';

/** A loop in C that reads and writes two TAPs and looks at nothing: what a forwarder in user space costs at least. */
function tapLoop(mode: 'plain' | 'vnet', title: string): Contender {
  const id = `loop-${mode}`;
  return {
    id,
    title,
    async build(lab) {
      const namespaces = await guestNamespaces(lab, id);
      const loop = namespaces[0].spawn([tool('tap-loop'), mode, ...namespaces.map(({ name }) => name)]);
      await loop.waitFor(/ready/);
      const { pid } = loop.child;
      return { ...(await addressedGuests(namespaces)), ...(pid === undefined ? {} : { forwarder: pid }) };
    },
  };
}

export const loopPlain = tapLoop('plain', 'C loop, TAP, no offloads');
export const loopVnet = tapLoop('vnet', 'C loop, TAP');
