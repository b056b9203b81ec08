#!/usr/bin/env node
import { main } from '../dist/cli/main.js';
import { mpls } from '../dist/cli/mpls.js';

await main(mpls);
