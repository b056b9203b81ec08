#!/usr/bin/env node
import { main } from '../dist/cli/main.js';
import { vxlan } from '../dist/cli/vxlan.js';

await main(vxlan);
