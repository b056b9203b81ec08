#!/usr/bin/env node
import { main } from '../dist/cli/main.js';
import { nh } from '../dist/cli/nh.js';

await main(nh);
