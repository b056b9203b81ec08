/** The token that whoever asks over HTTP has to show. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';

/** Characters a token has at least: those we make have 43, 256 bits. */
const SHORTEST = 16;

export interface Token {
  readonly token: string;
  /** It was made here: its owner has to be told. */
  readonly isNew: boolean;
}

/**
 * Reads the token from a file, which is written with a new one when it is missing, for its owner alone to read; without a file the
 * token is a new one that is kept nowhere. Rejects with the errors of node:fs, and when what the file holds is easily guessed.
 */
export async function loadToken(file?: string): Promise<Token> {
  const made = randomBytes(32).toString('base64url');
  if (file === undefined) return { token: made, isNew: true };
  try {
    const token = (await readFile(file, 'utf8')).trim();
    if (token.length < SHORTEST) throw new Error(`${file}: the token has less than ${SHORTEST} characters`);
    return { token, isNew: false };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    await writeFile(file, `${made}\n`, { mode: 0o600, flag: 'wx' });
    return { token: made, isNew: true };
  }
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Tells whether an Authorization header (RFC 6750, `Bearer TOKEN`) shows the token, in a time that says nothing about it. */
export function checkFor(token: string): (header: string | undefined) => boolean {
  const wanted = digest(token);
  return (header) => {
    const given = /^Bearer +(\S+) *$/i.exec(header ?? '')?.[1];
    return given !== undefined && timingSafeEqual(digest(given), wanted);
  };
}
