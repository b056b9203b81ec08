#!/usr/bin/env node
import { flow } from '../dist/cli/flow.js';
import { main } from '../dist/cli/main.js';

await main(flow);
