import * as z from 'zod';
import { VALIDATORS, type Kind } from './schema.js';

/** The JSON Schema (draft 2020-12) of the documents of one kind as users write them, for editors and other programs. */
export function jsonSchema(kind: Kind): unknown {
  return { title: kind, ...z.toJSONSchema(VALIDATORS[kind], { io: 'input' }) };
}

/** Name of the file under config/schema that holds it. */
export function jsonSchemaFile(kind: Kind): string {
  return `${kind.replace(/(?<=.)[A-Z]/g, '-$&').toLowerCase()}.json`;
}
