import type { Run } from './command.js';

/** The words of one `ip` command. */
export type Words = readonly (string | number)[];

/**
 * Commands for `ip -batch`, each given on behalf of somebody. One process carries out all of them in order; a command that fails
 * does not keep the ones behind it from being tried, and is told to the one it was for.
 */
export class IpBatch<Owner> {
  readonly #lines: { readonly owner: Owner; readonly text: string }[] = [];

  get empty(): boolean {
    return this.#lines.length === 0;
  }

  /** Appends `ip WORDS`. Throws when a word cannot be written in a batch. */
  add(owner: Owner, ...words: readonly (string | number)[]): void {
    this.#lines.push({ owner, text: words.map((word) => quoted(String(word))).join(' ') });
  }

  /** Carries the commands out, in the namespace of that file if there is one. Returns the first failure of each owner. */
  async run(run: Run, netns?: string): Promise<Map<Owner, Error>> {
    const failures = new Map<Owner, Error>();
    if (this.empty) return failures;
    const ip = ['ip', '-force', '-batch', '-'];
    const command = netns === undefined ? ip : ['nsenter', `--net=${netns}`, ...ip];
    const input = this.#lines.map(({ text }) => `${text}\n`).join('');
    const { code, stderr } = await run(command, input).catch((error: unknown) => ({ code: -1, stderr: String(error) }));
    const failed = failedLines(stderr);
    for (const { line, reason } of failed) {
      const { owner, text } = this.#lines[line - 1];
      if (!failures.has(owner) && !isGoneAlready(text, reason)) failures.set(owner, new Error(`ip ${text}: ${reason}`));
    }
    if (code !== 0 && failed.length === 0) {
      const error = new Error(`${command.join(' ')}: ${stderr.trim() || `exit code ${code}`}`);
      for (const { owner } of this.#lines) failures.set(owner, error);
    }
    return failures;
  }
}

/** Processes at work in namespaces at a time. */
const PARALLEL = 4;

/** Batches for several namespaces, one process each. */
export class NamespaceBatches<Owner> {
  readonly #batches = new Map<string, IpBatch<Owner>>();

  /** Appends commands for the namespace of this file. */
  add(netns: string, owner: Owner, commands: readonly Words[]): void {
    const batch = this.#batches.get(netns) ?? new IpBatch<Owner>();
    this.#batches.set(netns, batch);
    for (const words of commands) batch.add(owner, ...words);
  }

  async run(run: Run): Promise<Map<Owner, Error>> {
    const failures = new Map<Owner, Error>();
    const waiting = [...this.#batches].filter(([, batch]) => !batch.empty).reverse();
    const work = async (): Promise<void> => {
      for (let next = waiting.pop(); next; next = waiting.pop()) {
        const [netns, batch] = next;
        for (const [owner, error] of await batch.run(run, netns)) failures.set(owner, error);
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, work));
    return failures;
  }
}

/** Whether a word can stand in a batch: `ip` cuts a line at `#`, even within quotes, and knows no escape for quotes. */
export const canBeGivenToIp = (word: string): boolean => !/["'#\\\p{Cc}]/u.test(word);

/** What was to be deleted went by itself, a veth with the namespace of its other end perhaps: that is no failure. */
function isGoneAlready(text: string, reason: string): boolean {
  return text.startsWith('link delete ') && reason.startsWith('Cannot find device');
}

function quoted(word: string): string {
  if (!canBeGivenToIp(word)) throw new Error(`${JSON.stringify(word)} cannot be given to ip`);
  return word === '' || word.includes(' ') ? `"${word}"` : word;
}

/** What `ip -force -batch` says: the reason of a failure on some lines, then `Command failed -:LINE`. */
function failedLines(stderr: string): { line: number; reason: string }[] {
  const failed: { line: number; reason: string }[] = [];
  let reasons: string[] = [];
  for (const text of stderr.split('\n')) {
    const line = /^Command failed -:(\d+)$/.exec(text)?.[1];
    if (line === undefined) {
      if (text !== '') reasons.push(text.replace(/^(RTNETLINK answers|Error): /, ''));
      continue;
    }
    failed.push({ line: Number(line), reason: reasons.join('; ') || 'failed' });
    reasons = [];
  }
  return failed;
}
