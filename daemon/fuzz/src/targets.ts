import { agentTarget } from './agent/target.js';
import { documentsTarget } from './control/target.js';
import { operatorTarget } from './operator/target.js';
import { wireTarget } from './wire/target.js';
import { datapathTarget } from './datapath/target.js';
import type { Target } from './engine/target.js';

/** All targets by name, made when they are asked for. */
export const TARGETS: ReadonlyMap<string, () => Target> = new Map([
  ['documents', documentsTarget],
  ['operator', operatorTarget],
  ['documents', documentsTarget],
  ['operator', operatorTarget],
  ['agent', agentTarget],
  ['wire', wireTarget],
  ['datapath', datapathTarget],
]);
