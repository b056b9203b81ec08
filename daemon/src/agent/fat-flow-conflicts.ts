import { fatFlowConflict } from '../control/fat-flow.js';
import { RefusedError } from '../control/refused.js';
import { subject } from '../control/schema.js';
import type { Draft } from './draft.js';

/** Refuses an interface and a network whose fat-flow rules fold the same packets in two ways. The blame is on the documents. */
export function checkFatFlows({ networks, interfaces }: Draft): void {
  for (const port of interfaces.values()) {
    const network = networks.get(port.spec.virtualNetwork);
    if (network === undefined || !(port.isWanted || network.isWanted)) continue;
    const conflict = fatFlowConflict(network.spec.fatFlows, port.spec.fatFlows);
    if (conflict === undefined) continue;
    const sides = [
      { of: port, path: `spec.fatFlows[${conflict.ofInterface}]` },
      { of: network, path: `spec.fatFlows[${conflict.ofNetwork}]` },
    ];
    const [blamed, other] = port.isWanted ? sides : sides.reverse();
    const problem = `is about ${conflict.about}, which ${other.path} of ${subject(other.of)} folds in another way; make them equal or keep one`;
    throw RefusedError.field('duplicate', subject(blamed.of), blamed.path, problem);
  }
}
