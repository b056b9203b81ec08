import { runBench } from './command.js';
import { runGroups } from './group-run.js';
import { mirrorGroup } from './mirror-group.js';

/** `scripts/bench --mirrors`: what copies for an analyzer cost. Its results have a part of the page of their own. */
const groups = { mirrors: mirrorGroup };

await runBench(() => runGroups({ groups, command: 'scripts/bench --mirrors', file: 'mirrors.json' }));
