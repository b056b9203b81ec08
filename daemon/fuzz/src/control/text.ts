import type { Choices } from '../engine/choices.js';

/** What means something in YAML. */
const TOKENS = [
  ...[
    ': ',
    '- ',
    '\n',
    '  ',
    '\t',
    ',',
    '{',
    '}',
    '[',
    ']',
    '"',
    "'",
    '|\n',
    '>\n',
    '# ',
    '? ',
    '--- ',
    '---\n',
    '...\n',
  ],
  ...[
    '&a ',
    '*a',
    '<<: *a\n',
    '!!binary ',
    '!!set ',
    '!!map ',
    '!x ',
    '%YAML 1.1\n',
    '@',
    '`',
    '\0',
    '\u2028',
    '\ufeff',
  ],
  ...['null', '~', 'yes', '0x1f', '0o17', '.inf', '.nan', '-0', '1e400', '\\u0000', 'name', 'spec', 'kind', 'subnets'],
] as const;

/** The text with some of it removed, repeated or replaced, and tokens put into it. @param depths of nesting to try. */
export function changedText(text: string, choices: Choices, depths: readonly number[]): string {
  let changed = text;
  for (let n = choices.below(6); n > 0; n--) {
    const at = choices.below(changed.length + 1);
    const end = at + choices.below(24);
    const [before, after] = [changed.slice(0, at), changed.slice(at)];
    switch (choices.below(6)) {
      case 0:
        changed = before + changed.slice(end);
        break;
      case 1:
        changed = before + changed.slice(at, end) + after;
        break;
      case 2:
        changed = before + String.fromCharCode(choices.below(128)) + after;
        break;
      case 3:
        if (choices.chance(16))
          changed = before + choices.pick(['[', '{a: ', '- ']).repeat(choices.pick(depths)) + after;
        break;
      default:
        changed = before + choices.pick(TOKENS) + after;
    }
  }
  return changed;
}
