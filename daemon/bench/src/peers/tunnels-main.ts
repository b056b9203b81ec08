import { runBench } from './command.js';
import { runGroups } from './group-run.js';
import { tunnelGroup } from './tunnel-group.js';

/** `scripts/bench --tunnels`: guests of two hosts. Its results have a part of the page of their own. */
const groups = { hosts: tunnelGroup };

await runBench(() => runGroups({ groups, command: 'scripts/bench --tunnels', file: 'tunnels.json' }));
