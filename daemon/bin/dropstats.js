#!/usr/bin/env node
import { main } from '../dist/cli/main.js';
import { dropstats } from '../dist/cli/dropstats.js';

await main(dropstats);
