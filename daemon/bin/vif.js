#!/usr/bin/env node
import { main } from '../dist/cli/main.js';
import { vif } from '../dist/cli/vif.js';

await main(vif);
