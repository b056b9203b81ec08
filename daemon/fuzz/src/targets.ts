import { agentTarget } from './agent/target.js';
import { analyzerTarget } from './analyzer/target.js';
import { documentsTarget } from './control/target.js';
import { datapathTarget } from './datapath/target.js';
import type { Target } from './engine/target.js';
import { netlinkTarget } from './native/netlink-target.js';
import { nativeTarget } from './native/target.js';
import { operatorTarget } from './operator/target.js';
import { wireTarget } from './wire/target.js';

/** All targets by name, made when they are asked for. */
export const TARGETS: ReadonlyMap<string, () => Target> = new Map([
  ['wire', wireTarget],
  ['datapath', datapathTarget],
  ['agent', agentTarget],
  ['analyzer', analyzerTarget],
  ['documents', documentsTarget],
  ['operator', operatorTarget],
  ['netlink', netlinkTarget],
  ['native', nativeTarget],
]);
