import { STEP } from '../datapath/tracer.js';
import { VIF_ID } from '../tables/records.js';
import type { TraceNames } from './names.js';
import type { Step } from './step.js';

/** `out of vif0/4 tap4 (b), to host-b (192.168.200.13) by MPLSoUDP, label 57`: everywhere a packet went. */
export function placesOf(steps: readonly Step[], names: TraceNames): string {
  const tunnels = steps.filter(({ kind }) => kind === STEP.tunnel).map(({ a, b }) => names.tunnel(a, b));
  const isUnderlay = (vif: number): boolean => vif === VIF_ID.physical && tunnels.length > 0;
  const vifs = steps.filter(({ kind, a }) => kind === STEP.output && !isUnderlay(a)).map(({ a }) => names.vif(a));
  const listed = (word: string, places: readonly string[]): string[] =>
    places.length === 0 ? [] : [`${word} ${[...new Set(places)].join(', ')}`];
  return [...listed('out of', vifs), ...listed('to', tunnels)].join(', ');
}
