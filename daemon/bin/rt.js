#!/usr/bin/env node
import { main } from '../dist/cli/main.js';
import { rt } from '../dist/cli/rt.js';

await main(rt);
