import { analyzerGroup } from './analyzer-group.js';
import { runBench } from './command.js';
import { runGroups } from './group-run.js';

/** `scripts/bench --analyzer`: how much `vrouter analyzer` takes. Its results have a part of the page of their own. */
const groups = { analyzer: analyzerGroup };

await runBench(() => runGroups({ groups, command: 'scripts/bench --analyzer', file: 'analyzer.json' }));
