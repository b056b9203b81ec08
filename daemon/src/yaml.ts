/** YAML as people write it into files, safe to read: whatever the text, there are values or one error with its place. */
import { Composer, type CST, Lexer, LineCounter, Parser } from 'yaml';

/** Levels of lists and mappings a document may have; those of vrouterd have few. */
const NESTING = 100;
/** Longest text of a problem, characters. */
const PROBLEM_LEN = 200;

/** Text that is no YAML, or YAML that is no tree. The message is one line: what is wrong, and what to do. */
export class YamlError extends Error {
  override readonly name = 'YamlError';

  /** @param line @param column where in the text, from 1 */
  constructor(
    readonly line: number,
    readonly column: number,
    problem: string,
  ) {
    // A problem may quote the text, with its line ends and as long as it is.
    super(`${problem.replaceAll(/[\s\p{Cc}]+/gu, ' ').slice(0, PROBLEM_LEN)}; correct the YAML`);
  }
}

/** The values of the documents in `text`; null stands for an empty one. Throws YamlError for the first that cannot be used. */
export function readYaml(text: string): unknown[] {
  const lines = new LineCounter();
  const wrong = (offset: number, problem: string): YamlError => {
    const { line, col } = lines.linePos(offset);
    return new YamlError(line, col, problem);
  };
  // Odd YAML is refused for what comes out of it; warnings would go to the console.
  const composer = new Composer({ lineCounter: lines, prettyErrors: false, logLevel: 'error' });
  const values: unknown[] = [];
  for (const document of composer.compose(tokens(text, lines, wrong))) {
    const [error] = document.errors;
    if (document.errors.length > 0) throw wrong(error.pos[0], error.message);
    try {
      const value: unknown = document.toJS();
      JSON.stringify(value); // throws a TypeError when there is no end
      values.push(value);
    } catch (failure) {
      const isEndless = failure instanceof TypeError;
      throw wrong(document.range[0], isEndless ? 'an alias lies in what it stands for' : (failure as Error).message);
    }
  }
  return values;
}

/** What the text consists of. Nesting without end is refused here, before anything follows it down. */
function* tokens(
  text: string,
  lines: LineCounter,
  wrong: (offset: number, problem: string) => YamlError,
): Generator<CST.Token> {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    if (parser.stack.length > NESTING) throw wrong(parser.offset, `nested more than ${NESTING} levels deep`);
  }
  yield* parser.end();
}
