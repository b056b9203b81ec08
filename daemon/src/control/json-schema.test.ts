import { readFileSync } from 'node:fs';
import test from 'ava';
import { jsonSchema, jsonSchemaFile } from './json-schema.js';
import { KINDS } from './schema.js';

for (const kind of KINDS) {
  test(`the JSON Schema of ${kind} in config/schema is what the validator says (else run npm run schemas)`, (t) => {
    const file = new URL(`../../../config/schema/${jsonSchemaFile(kind)}`, import.meta.url);
    t.deepEqual(JSON.parse(readFileSync(file, 'utf8')), jsonSchema(kind));
  });
}

test('files are named after kinds in lower case', (t) => {
  t.is(jsonSchemaFile('VirtualMachineInterface'), 'virtual-machine-interface.json');
});
