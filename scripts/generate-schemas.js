// Writes config/schema/*.json from the validators of the resources. Run it after `npm run build`.
import { mkdir, writeFile } from 'node:fs/promises';
import { format, resolveConfig } from 'prettier';
import { jsonSchema, jsonSchemaFile } from '../daemon/dist/control/json-schema.js';
import { KINDS } from '../daemon/dist/control/schema.js';

const folder = new URL('../config/schema/', import.meta.url);
await mkdir(folder, { recursive: true });
for (const kind of KINDS) {
  const file = new URL(jsonSchemaFile(kind), folder);
  const options = { ...(await resolveConfig(file)), parser: 'json' };
  await writeFile(file, await format(JSON.stringify(jsonSchema(kind)), options));
}
