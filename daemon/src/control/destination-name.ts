import * as z from 'zod';
import { canonical } from './fields.js';
import { fullName, NAME_PART, type Scope, splitName } from './names.js';

/** Parts of PROJECT/NAME; undefined: it is not that. */
function splitSlash(text: string): readonly [project: string, name: string] | undefined {
  const parts = text.split('/');
  return parts.length === 2 && parts.every((part) => NAME_PART.test(part)) ? [parts[0], parts[1]] : undefined;
}

const destinationName = canonical(
  (text) => {
    if (splitSlash(text) === undefined && splitName(text, { domain: 'd', project: 'p' }) === undefined)
      throw new Error(text);
    return text;
  },
  'is not the name of a mirror destination (NAME, PROJECT/NAME or DOMAIN:PROJECT:NAME)',
  'ids',
).describe('A mirror destination by NAME, PROJECT/NAME or DOMAIN:PROJECT:NAME; it need not exist');

/** What names a mirror destination instead of saying where copies go. */
export const destinationFields = { destination: destinationName };
export const destinationMirror = z.strictObject(destinationFields);

/** A mirror destination by its full name. */
export type DestinationMirror = z.output<typeof destinationMirror>;

/** The full name of a mirror destination that a document of this scope names. */
export function resolveDestination(text: string, scope: Scope): string {
  const [project, name] = splitSlash(text) ?? [];
  const parts =
    project === undefined || name === undefined ? splitName(text, scope) : { domain: scope.domain, project, name };
  return parts === undefined ? text : fullName(parts);
}
