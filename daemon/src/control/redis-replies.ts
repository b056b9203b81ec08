import type { ChainableCommander } from 'ioredis';

/** Answers of all commands of a MULTI; throws the first error among them. */
export async function inOneStep(multi: ChainableCommander): Promise<unknown[]> {
  const replies = (await multi.exec()) ?? [];
  return replies.map(([error, reply]) => {
    if (error !== null) throw error;
    return reply;
  });
}

/** Id of the first entry of a range of a stream. */
export function firstId(range: unknown): string | undefined {
  return (range as [string, string[]][])[0]?.[0];
}

/** Order of two ids `milliseconds-sequence`: negative, 0 or positive. */
export function compareIds(a: string, b: string): number {
  const [aMs, aSequence] = a.split('-').map(Number);
  const [bMs, bSequence] = b.split('-').map(Number);
  return aMs === bMs ? aSequence - bSequence : aMs - bMs;
}
