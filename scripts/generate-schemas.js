// Writes config/schema/*.json from the validators of the resources and of the configuration file. Run it after `npm run build`.
import { mkdir, writeFile } from 'node:fs/promises';
import { format, resolveConfig } from 'prettier';
import { configSchema } from '../daemon/dist/config.js';
import { jsonSchema, jsonSchemaFile } from '../daemon/dist/control/json-schema.js';
import { KINDS } from '../daemon/dist/control/schema.js';

const folder = new URL('../config/schema/', import.meta.url);
await mkdir(folder, { recursive: true });
const schemas = KINDS.map((kind) => [jsonSchemaFile(kind), jsonSchema(kind)]);
for (const [name, schema] of [...schemas, ['vrouterd.json', configSchema()]]) {
  const file = new URL(name, folder);
  const options = { ...(await resolveConfig(file)), parser: 'json' };
  await writeFile(file, await format(JSON.stringify(schema), options));
}
