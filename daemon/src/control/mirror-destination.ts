import * as z from 'zod';
import { canonicalMirror, mirrorFields, mirrorProblems, trafficDirection } from './mirror-to.js';

/** Label of a mirror destination that says which interfaces may be its analyzer, and the one these have, with the same value. */
export const SELECTOR_LABEL = 'core.juniper.net/analyzer-pod-selector';
export const ANALYZER_LABEL = 'core.juniper.net/analyzer-pod';
/** Label of the interface that takes copies where several of a guest have the other one; its value is `true`. */
export const INTERFACE_LABEL = 'core.juniper.net/analyzer-interface';

const fields = z.strictObject({
  trafficDirection,
  udpPort: mirrorFields.udpPort,
  juniperHeader: mirrorFields.juniperHeader,
  nhMode: mirrorFields.nhMode,
  staticNhHeader: mirrorFields.staticNhHeader,
  externalAnalyzer: z
    .boolean()
    .default(false)
    .describe('Whether the analyzer is no guest but a station the underlay leads to, at analyzerIp'),
  analyzerIp: mirrorFields.analyzerIp.describe('Address of an external analyzer'),
  nicAssistedMirroring: mirrorFields.nicAssistedMirroring,
  nicAssistedVlan: mirrorFields.nicAssistedVlan,
  rateLimit: mirrorFields.rateLimit,
  sample: mirrorFields.sample,
  snapLength: mirrorFields.snapLength,
  suppressIcmpErrors: mirrorFields.suppressIcmpErrors,
});

export const mirrorDestinationSpec = fields
  .superRefine((given, context) => {
    for (const { path, problem } of problems(given)) context.addIssue({ code: 'custom', path, message: problem });
  })
  .transform(canonicalMirror);

function* problems(given: z.output<typeof fields>): Generator<{ readonly path: string[]; readonly problem: string }> {
  const { externalAnalyzer, analyzerIp, ...mirror } = given;
  yield* mirrorProblems(mirror);
  if (!isInternal({ ...given, externalAnalyzer: false })) return;
  if (!externalAnalyzer && analyzerIp !== undefined)
    yield { path: ['analyzerIp'], problem: 'goes with externalAnalyzer: true; of a guest it is known' };
  if (externalAnalyzer && analyzerIp === undefined)
    yield { path: ['analyzerIp'], problem: 'is missing; nothing else says where an external analyzer is' };
  if (externalAnalyzer && !given.juniperHeader) {
    const problem = 'false does not reach an external analyzer, whose MAC nobody knows; use nhMode: static';
    yield { path: ['juniperHeader'], problem };
  }
}

/** Whom copies go to, and how, for whatever names it. */
export type MirrorDestinationSpec = z.output<typeof mirrorDestinationSpec>;

/** Whether the analyzer is a guest, found by its label. */
export function isInternal(
  spec: Pick<MirrorDestinationSpec, 'externalAnalyzer' | 'nhMode' | 'nicAssistedMirroring'>,
): boolean {
  return !spec.externalAnalyzer && spec.nhMode === 'dynamic' && !spec.nicAssistedMirroring;
}

/** Whom copies go to as things are. */
export interface MirrorDestinationStatus {
  readonly state: 'Pending' | 'Success';
  /** Why it is pending, or how many there were to choose from; empty: nothing is to be said. */
  readonly observation: string;
  /** Full name of the interface that was chosen, which it keeps as long as it can; null: none, or none is needed. */
  readonly virtualMachineInterface: string | null;
  /** Where copies go; null: nowhere, or they are not sent to an address. */
  readonly address: string | null;
}
