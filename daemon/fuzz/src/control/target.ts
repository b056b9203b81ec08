import { isDeepStrictEqual } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { readDocuments } from '#vrouterd/cli/vrouter-documents.js';
import { Exit } from '#vrouterd/cli/exit.js';
import { ConfigError, parseConfig } from '#vrouterd/config.js';
import { pathText } from '#vrouterd/control/explain.js';
import { redisText } from '#vrouterd/control/redis-connection.js';
import { RefusedError } from '#vrouterd/control/refused.js';
import { KINDS, namedObject, parseDocument, parseReference } from '#vrouterd/control/schema.js';
import { Choices } from '../engine/choices.js';
import { must, type Target } from '../engine/target.js';
import { CONFIG_TEXTS, RESOURCE_TEXTS } from './seeds.js';
import { changedText } from './text.js';
import { changed } from './tree.js';

/** Each resource of the seeds, as a value. */
const RESOURCES: readonly unknown[] = RESOURCE_TEXTS.flatMap((text) =>
  parseAllDocuments(text).map((document) => document.toJS() as unknown),
);
const CONFIGS: readonly unknown[] = CONFIG_TEXTS.map((text): unknown => parseAllDocuments(text)[0].toJS());

/** Levels texts are nested in: some that are read, some that are refused. */
const DEPTHS = [3, 90, 110, 5_000] as const;

type Observe = (outcome: string) => void;

/** Documents and configuration files as users write them, well or not. */
export function documentsTarget(): Target {
  return {
    name: 'documents',
    about:
      'resources and configuration, as text and as values: understood, or refused in one line that names the field',
    longest: 200,
    seeds: () => [
      ...RESOURCE_TEXTS.map((_, i) => Uint8Array.of(0, i)),
      ...RESOURCES.map((_, i) => Uint8Array.of(1, i)),
      ...CONFIG_TEXTS.flatMap((_, i) => [Uint8Array.of(2, i), Uint8Array.of(3, i)]),
      Uint8Array.of(4, 0),
    ],
    run(input, observe) {
      const choices = new Choices(input);
      switch (choices.below(5)) {
        case 0:
          return resourceText(changedText(choices.pick(RESOURCE_TEXTS), choices, DEPTHS), observe);
        case 1:
          resource(changed(structuredClone(choices.pick(RESOURCES)), choices), observe);
          break;
        case 2:
          config(changedText(choices.pick(CONFIG_TEXTS), choices, DEPTHS), observe);
          break;
        case 3:
          config(yaml(changed(structuredClone(choices.pick(CONFIGS)), choices)), observe);
          break;
        default:
          name(choices, observe);
      }
    },
  };
}

async function resourceText(text: string, observe: Observe): Promise<void> {
  let documents: readonly unknown[];
  try {
    documents = await readDocuments(['f'], () => Promise.resolve(text));
  } catch (error) {
    must(error instanceof Exit && error.status === 1, () => `not refused but ${String(error)}`);
    checkLine(error.message);
    observe('YAML refused');
    return;
  }
  // This is how the tool sends them.
  const sent = JSON.parse(JSON.stringify(documents)) as unknown[];
  for (const document of sent) resource(document, observe);
}

/** Either refused, saying where, or understood, and then understood the same once more. */
function resource(raw: unknown, observe: Observe): void {
  for (const parse of [parseDocument, parseReference]) {
    try {
      const understood = parse(raw, 7);
      observe(`${parse.name} understood`);
      if (parse === parseDocument)
        must(isDeepStrictEqual(parse(understood), understood), () => `not canonical: ${show(understood)}`);
    } catch (error) {
      must(
        error instanceof RefusedError,
        () => `not refused but ${error instanceof Error ? (error.stack ?? '') : String(error)}`,
      );
      checkLine(error.message);
      must(error.code === 'invalid', () => `refused as ${error.code}`);
      const { path = '' } = error;
      must(isInside(raw, path), () => `no field ${path} in ${show(raw)}`);
      observe(`${parse.name} refused ${fieldOf(path)} ${problemOf(error.message)}`);
    }
  }
}

function config(text: string, observe: Observe): void {
  try {
    const { redis } = parseConfig(text, 'f');
    observe('configuration understood');
    if (redis !== 'embedded') redisText(redis);
  } catch (error) {
    must(
      error instanceof ConfigError,
      () => `not refused but ${error instanceof Error ? (error.stack ?? '') : String(error)}`,
    );
    checkLine(error.message);
    observe(`configuration refused ${problemOf(error.message)}`);
  }
}

/** Flow style, which goes as deep as is wanted. */
function yaml(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return '';
  }
}

function name(choices: Choices, observe: Observe): void {
  const kind = choices.chance(32) ? 'x\ny' : choices.pick(KINDS);
  const text = String.fromCharCode(...choices.bytes(choices.below(12)));
  try {
    observe(`name of ${namedObject(kind, text).kind}`);
  } catch (error) {
    must(error instanceof RefusedError, () => `not refused but ${String(error)}`);
    checkLine(error.message);
    observe('name refused');
  }
}

function checkLine(message: string): void {
  must(!/[\u0000-\u001f\u007f\u2028\u2029]/.test(message), () => `more than a line: ${JSON.stringify(message)}`);
  must(message.length < 4000, () => `a message of ${message.length} characters`);
}

/** Whether the path names something in the value, or something missing right below something that is there. */
function isInside(raw: unknown, path: string): boolean {
  const parent = path.replace(/(\.[^.[\]]*|\[\d+\]|^[^.[\]]*)$/, '');
  return path === '' || parent === '' || hasPath(raw, parent) || hasPath(raw, path);
}

function hasPath(raw: unknown, path: string, at: readonly PropertyKey[] = []): boolean {
  const text = pathText(at);
  if (text === path) return true;
  if (typeof raw !== 'object' || raw === null || !path.startsWith(text)) return false;
  return Object.entries(raw).some(([key, value]) =>
    hasPath(value, path, [...at, Array.isArray(raw) ? Number(key) : key]),
  );
}

/** A field whatever its place in lists and whatever its name, if it is unknown. */
const fieldOf = (path: string): string => path.replaceAll(/\d+/g, '0').slice(0, 40);

/** What is wrong, without the values. */
const problemOf = (message: string): string => message.replaceAll(/[^a-z ]/gi, '').slice(-24);

const show = (value: unknown): string => JSON.stringify(value).slice(0, 500);
