/** Ways to wrap packets between hosts, by the names configuration uses; the default order of preference. */
export const ENCAPSULATIONS = ['MPLSoUDP', 'MPLSoGRE', 'VXLAN'] as const;
export type Encapsulation = (typeof ENCAPSULATIONS)[number];

/** The first of ours that the other end has as well; null: there is none, nothing can be sent. */
export function sharedEncapsulation(
  ours: readonly Encapsulation[],
  theirs: readonly Encapsulation[],
): Encapsulation | null {
  return ours.find((name) => theirs.includes(name)) ?? null;
}
