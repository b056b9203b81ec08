/** Resource documents as users write them. */
import { Composer, type CST, Lexer, LineCounter, Parser, stringify } from 'yaml';

import { API_VERSION } from '../control/schema.js';
import type { Kind } from '../control/schema.js';
import { Exit, STATUS } from './exit.js';

/** Levels of lists and mappings a document may have; resources have few. */
const NESTING = 100;
/** Longest text of a problem, characters. */
const PROBLEM_LEN = 200;

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
  const lines = new LineCounter();
  const wrong = (offset: number, problem: string): Exit => {
    const { line, col } = lines.linePos(offset);
    // A problem may quote the text, with its line ends and as long as it is.
    const shown = problem.replaceAll(/[\s\p{Cc}]+/gu, ' ').slice(0, PROBLEM_LEN);
    return refused(`${source}:${line}:${col}: ${shown}; correct the YAML`);
  };
  const composer = new Composer({ lineCounter: lines, prettyErrors: false, logLevel: 'error' });
  const values: unknown[] = [];
  for (const document of composer.compose(tokens(text, lines, wrong))) {
    const [error] = document.errors;
    if (document.errors.length > 0) throw wrong(error.pos[0], error.message);
    try {
      const value: unknown = document.toJS();
      JSON.stringify(value); // as it is sent; throws a TypeError when there is no end
      values.push(value);
    } catch (failure) {
      const isEndless = failure instanceof TypeError;
      throw wrong(document.range[0], isEndless ? 'an alias lies in what it stands for' : (failure as Error).message);
    }
  }
  return values.filter((value) => value !== null);
}

/** What the text consists of. Nesting without end is refused here, before anything follows it down. */
function* tokens(
  text: string,
  lines: LineCounter,
  wrong: (offset: number, problem: string) => Exit,
): Generator<CST.Token> {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    if (parser.stack.length > NESTING) throw wrong(parser.offset, `nested more than ${NESTING} levels deep`);
  }
  yield* parser.end();
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
