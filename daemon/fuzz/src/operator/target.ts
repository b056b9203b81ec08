import { Operator } from '#vrouterd/agent/operator.js';
import { RefusedError } from '#vrouterd/control/refused.js';
import { MemoryStore } from '#vrouterd/testing/memory-store.js';
import { Choices } from '../engine/choices.js';
import { must, type Target } from '../engine/target.js';
import { checkStore, pictureOf } from './invariants.js';
import { checkGiven, expectedAddresses } from './model.js';
import { chooseRequest, type Request } from './requests.js';

/** Requests of one input at most. */
const REQUESTS = 24;

/** Sequences of apply and delete from two hosts on one store. */
export function operatorTarget(): Target {
  return {
    name: 'operator',
    about:
      'apply and delete, alone and at once: nothing is given twice, the books are right, what is refused changes nothing',
    longest: 300,
    seeds: () => [Uint8Array.of(0), new Uint8Array(40), Uint8Array.from({ length: 120 }, (_, i) => (i * 37) & 255)],
    async run(input, observe) {
      const choices = new Choices(input);
      const store = new MemoryStore();
      const operators = ['h1', 'h2'].map((host) => new Operator({ store, host, deviceProblem: () => undefined }));
      const books = new Set<string>();
      for (let n = 0; n < REQUESTS && !choices.done; n++) {
        const before = await pictureOf(store, books);
        const atOnce = choices.chance(64) ? 2 : 1;
        const requests = Array.from({ length: atOnce }, () => chooseRequest(choices));
        const expected = atOnce === 1 ? expectedAddresses(store, requests[0]) : undefined;
        const results = await Promise.all(requests.map((request, i) => carryOut(operators[i], request, observe)));
        await checkStore(store, books);
        observe(
          `${store.list('VirtualNetwork').length} networks, ${store.list('VirtualMachineInterface').length} interfaces`,
        );
        if (expected) checkGiven(store, expected, results[0]);
        const silent = requests.every(
          (request, i) => results[i] !== null || (request.kind === 'apply' && request.dryRun),
        );
        const after = await pictureOf(store, books);
        must(
          !silent || before === after,
          () => `changed by a request that was refused or for show: ${before} to ${after}`,
        );
        if (atOnce === 1 && results[0] === null) await again(operators[0], store, requests[0], books);
      }
    },
  };
}

/** Null when it was done, else how it was refused. */
async function carryOut(
  operator: Operator,
  request: Request,
  observe: (outcome: string) => void,
): Promise<RefusedError | null> {
  try {
    const { documents } = request;
    const outcomes =
      request.kind === 'remove' ? await operator.remove(documents) : await operator.apply(documents, request);
    for (const { kind, outcome } of outcomes) observe(`${request.kind} ${kind} ${outcome}`);
    return null;
  } catch (error) {
    must(
      error instanceof RefusedError,
      () => `not refused but ${error instanceof Error ? (error.stack ?? '') : String(error)}`,
    );
    must(error.code !== 'contended' && error.code !== 'unavailable', () => error.message);
    observe(`${request.kind} refused ${error.code} ${(error.path ?? '').replaceAll(/\d/g, '0')}`);
    return error;
  }
}

/** What was applied is unchanged when it is applied once more, and so is what the operator prints. */
async function again(operator: Operator, store: MemoryStore, request: Request, books: Set<string>): Promise<void> {
  if (request.kind === 'remove' || request.dryRun) return;
  const before = await pictureOf(store, books);
  for (const documents of [request.documents, operator.objects()]) {
    const outcomes = await operator.apply(documents, { dryRun: false, prune: false });
    must(
      outcomes.every(({ outcome }) => outcome === 'unchanged'),
      () => `applied again: ${JSON.stringify(outcomes)}`,
    );
  }
  must(before === (await pictureOf(store, books)), () => 'changed by what is there already');
}
