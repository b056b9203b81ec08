#!/usr/bin/env node
import { main } from '../dist/cli/main.js';
import { vrfstats } from '../dist/cli/vrfstats.js';

await main(vrfstats);
