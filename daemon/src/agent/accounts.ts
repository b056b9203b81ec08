import type { Run } from './command.js';

/** A user or group of the host, by name or number. */
export type Account = string | number;

/** The numbers of accounts; a name the host does not know is missing. One process for all names of a kind. */
export async function accountNumbers(
  database: 'passwd' | 'group',
  accounts: readonly (Account | undefined)[],
  run: Run,
): Promise<ReadonlyMap<Account, number>> {
  const numbers = new Map<Account, number>();
  const names = new Set<string>();
  for (const account of accounts) {
    if (typeof account === 'number') numbers.set(account, account);
    if (typeof account === 'string') names.add(account);
  }
  if (names.size === 0) return numbers;
  // One line an account, NAME:PASSWORD:NUMBER:...; names that are unknown have none.
  const { stdout } = await run(['getent', database, '--', ...names]);
  for (const line of stdout.split('\n')) {
    const [name, , number] = line.split(':');
    if (names.has(name) && number !== '') numbers.set(name, Number(number));
  }
  return numbers;
}
