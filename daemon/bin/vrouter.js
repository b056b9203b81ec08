#!/usr/bin/env node
import { main } from '../dist/cli/main.js';
import { vrouter } from '../dist/cli/vrouter.js';

await main(vrouter);
