import type { MirrorDump } from '../../../daemon/src/control/mirror-dumps.js';
import type { Daemon } from './daemon.js';
import { until } from './process.js';
import type { Document } from './topology.js';

/** The document with these mirrors in its spec. */
export const mirrored = (document: Document, ...mirrors: readonly Document[]): Document => ({
  ...document,
  spec: { ...(document.spec as Document), mirrors },
});

/** The document in another project than the default one. */
export const inProject = (project: string, document: Document): Document => ({
  ...document,
  metadata: { ...(document.metadata as Document), project },
});

/** All mirrors of a host. */
export const mirrorsOf = (daemon: Daemon): Promise<MirrorDump[]> =>
  daemon.dump<MirrorDump[]>('vrouter', 'mirror --dump');

/** That of an analyzer. */
export async function mirrorTo(daemon: Daemon, name: string): Promise<MirrorDump> {
  const found = (await mirrorsOf(daemon)).find((mirror) => mirror.name === name);
  if (found === undefined) throw new Error(`no mirror is called ${name}`);
  return found;
}

/** Waits until copies for an analyzer go where they should. */
export async function resolved(daemon: Daemon, name: string): Promise<MirrorDump> {
  return until(`the mirror to ${name} is resolved`, async () => {
    const mirror = (await mirrorsOf(daemon)).find((one) => one.name === name);
    return mirror?.state === 'resolved' ? mirror : undefined;
  });
}
