#!/usr/bin/env node
import { main } from '../dist/cli/main.js';
import { mirror } from '../dist/cli/mirror.js';

await main(mirror);
