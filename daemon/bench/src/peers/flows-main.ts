import { runBench } from './command.js';
import { activeGroup, fatGroup, floodGroup, modeGroup, sessionGroup } from './flow-groups.js';
import { runGroups } from './group-run.js';

/** `scripts/bench --flows`: what sessions cost. Its results have a part of the page of their own. */
const groups = {
  sessions: sessionGroup,
  active: activeGroup,
  fat: fatGroup,
  modes: modeGroup,
  flood: floodGroup,
};

await runBench(() => runGroups({ groups, command: 'scripts/bench --flows', file: 'flows.json' }));
