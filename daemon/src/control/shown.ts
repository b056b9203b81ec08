/** Longest a value or a name is shown in a message, characters. */
const LONGEST = 160;

/** A value as messages show it: JSON, cut where it gets long. One that goes too deep for that, or in circles, is only named. */
export function shown(value: unknown): string {
  return cut(textOf(value));
}

/** Text as far as messages show it. */
export const cut = (text: string): string => (text.length <= LONGEST ? text : `${text.slice(0, LONGEST)}...`);

/** Text without what would end the line or steer a terminal: control characters are written as \uXXXX. */
export function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

function textOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  try {
    return JSON.stringify(value);
  } catch {
    return Array.isArray(value) ? '[...]' : '{...}';
  }
}
