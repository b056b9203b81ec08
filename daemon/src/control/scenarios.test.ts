import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import { parseAllDocuments } from 'yaml';
import { fullName } from './names.js';
import { parseDocument } from './schema.js';

const FOLDER = new URL('../../../config/scenarios/', import.meta.url);
const FILES = readdirSync(FOLDER).filter((file) => file.endsWith('.yaml'));

test('there are scenarios', (t) => {
  t.true(FILES.length >= 5);
});

for (const file of FILES) {
  const text = readFileSync(new URL(file, FOLDER), 'utf8');

  test(`${file} is valid, and complete without any other file`, (t) => {
    const resources = parseAllDocuments(text).map((document, i) => parseDocument(document.toJS(), i + 1));
    const networks = new Set(
      resources.filter(({ kind }) => kind === 'VirtualNetwork').map(({ metadata }) => fullName(metadata)),
    );
    t.true(networks.size > 0);
    for (const resource of resources) {
      if (resource.kind !== 'VirtualMachineInterface') continue;
      t.true(networks.has(resource.spec.virtualNetwork), resource.metadata.name);
    }
  });

  test(`${file} says how to apply it and how to remove it`, (t) => {
    t.true(text.includes(`vrouter apply -f config/scenarios/${file}`));
    t.true(text.includes(`vrouter delete -f config/scenarios/${file}`));
  });
}
