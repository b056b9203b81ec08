/** Resource documents as users write them. */
import { stringify } from 'yaml';
import { API_VERSION, type Kind } from '../control/kinds.js';
import { readYaml, YamlError } from '../yaml.js';
import { Exit, STATUS } from './exit.js';

/** The documents of all files, in order; empty ones are left out. Throws Exit with the place of the first YAML error. */
export async function readDocuments(
  files: readonly string[],
  read: (file: string) => Promise<string>,
): Promise<readonly unknown[]> {
  const documents: unknown[] = [];
  for (const file of files) {
    const found = parseDocuments(await readOne(file, read), file === '-' ? 'stdin' : file);
    documents.push(...found);
  }
  if (documents.length > 0) return documents;
  throw refused(`${files.join(', ')}: no documents in it; write apiVersion, kind, metadata and spec`);
}

async function readOne(file: string, read: (file: string) => Promise<string>): Promise<string> {
  try {
    return await read(file);
  } catch (error) {
    throw refused(
      `${file}: ${READ_ERRORS[(error as NodeJS.ErrnoException).code ?? ''] ?? String(error)}; name a file, or - for stdin`,
    );
  }
}

const READ_ERRORS: Readonly<Partial<Record<string, string>>> = {
  ENOENT: 'there is no such file',
  EACCES: 'no permission to read it',
  EISDIR: 'it is a directory',
};

/** The YAML documents in `text`. `source` names it in errors: `source:line:column: what is wrong`. */
function parseDocuments(text: string, source: string): unknown[] {
  try {
    return readYaml(text).filter((value) => value !== null);
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    throw refused(`${source}:${error.line}:${error.column}: ${error.message}`);
  }
}

const refused = (message: string): Exit => new Exit(STATUS.refused, message);

/** Objects as documents that can be applied again. */
export const formatYaml = (objects: readonly unknown[]): string =>
  objects.map((object) => stringify(object, { lineWidth: 0 })).join('---\n');

/** A document that names an object and says nothing else. */
export const referenceTo = (kind: Kind, name: string): unknown => ({
  apiVersion: API_VERSION,
  kind,
  metadata: { name },
});
