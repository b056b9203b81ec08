import { type ObjectRef, withDefaults } from './schema.js';
import type { StoredObject, Transaction } from './store.js';

/** Entries the log keeps at least. Who is further behind reads everything anew. */
const LOG_CAP = 10_000;

/**
 * Carries out one transaction in one step of the server: looks at everything it rests on, then writes. KEYS[1] is the epoch,
 * KEYS[2] the log; lists of the transaction name further keys by their index. Answers what came of it, the end of the log,
 * and what a conflict is about.
 */
export const COMMIT_SCRIPT = `
local tx = cjson.decode(ARGV[1])

local function last()
  local entry = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
  return entry and entry[1] or '0-0'
end

if redis.call('GET', KEYS[1]) ~= tx.epoch then return {'epoch', last(), ''} end
if last() ~= tx.basis then return {'moved', last(), ''} end
for _, c in ipairs(tx.checks) do
  local key, name, revision = KEYS[c[1]], c[2], c[3]
  local have = redis.call('HGET', key, name)
  if (have and cjson.decode(have).revision or 0) ~= revision then return {'revision', last(), name} end
end
local freed = {}
for _, r in ipairs(tx.release) do freed[r[1] .. ' ' .. r[2]] = r[3] end
for _, r in ipairs(tx.reserve) do
  local owner = redis.call('HGET', KEYS[r[1]], r[2])
  if owner and owner ~= r[3] and freed[r[1] .. ' ' .. r[2]] ~= owner then return {'reserved', last(), r[2]} end
end

for _, r in ipairs(tx.release) do
  if redis.call('HGET', KEYS[r[1]], r[2]) == r[3] then redis.call('HDEL', KEYS[r[1]], r[2]) end
end
for _, r in ipairs(tx.reserve) do redis.call('HSET', KEYS[r[1]], r[2], r[3]) end
for _, w in ipairs(tx.sets) do redis.call('HSET', KEYS[w[1]], w[2], w[3]) end
for _, d in ipairs(tx.deletes) do redis.call('HDEL', KEYS[d[1]], d[2]) end
for _, e in ipairs(tx.log) do
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', tx.cap, '*', 'kind', e[1], 'name', e[2], 'revision', e[3], 'op', e[4])
end
return {'committed', last(), ''}
`;

/** What the script answers: outcome, end of the log, what a conflict is about. */
export type CommitReply = readonly ['committed' | 'epoch' | 'moved' | 'revision' | 'reserved', string, string];

/** Keys and argument of the script for one transaction. `prefix` begins every key. */
export function commitArguments(tx: Transaction, epoch: string, prefix: string): { keys: string[]; argument: string } {
  const keys = [`${prefix}epoch`, `${prefix}config:log`];
  const index = (key: string): number => {
    const at = keys.indexOf(prefix + key);
    return at >= 0 ? at + 1 : keys.push(prefix + key);
  };
  const config = ({ kind }: ObjectRef): number => index(`config:${kind}`);
  const argument = JSON.stringify({
    epoch,
    basis: tx.basis,
    cap: LOG_CAP,
    checks: [
      ...tx.writes.map((object) => [config(object), object.name, object.revision - 1]),
      ...tx.deletes.map((gone) => [config(gone), gone.name, gone.revision]),
    ],
    release: tx.release.map(({ book, entry, owner }) => [index(book), entry, owner]),
    reserve: tx.reserve.map(({ book, entry, owner }) => [index(book), entry, owner]),
    sets: tx.writes.map((object) => [config(object), object.name, storedText(object)]),
    deletes: tx.deletes.map((gone) => [config(gone), gone.name]),
    log: [
      ...tx.writes.map(({ kind, name, revision }) => [kind, name, revision, 'set']),
      ...tx.deletes.map(({ kind, name, revision }) => [kind, name, revision, 'delete']),
    ],
  });
  return { keys, argument };
}

/** The value of an object in its hash; kind and name are key and field. */
function storedText({ revision, uuid, metadata, spec, status }: StoredObject): string {
  return JSON.stringify({ revision, uuid, metadata, spec, status });
}

/** Reads that value back; what an earlier version wrote gets the fields that are new since. */
export function storedObject({ kind, name }: ObjectRef, text: string): StoredObject {
  const value = JSON.parse(text) as Omit<StoredObject, 'kind' | 'name'>;
  return { kind, name, ...value, spec: withDefaults(kind, value.spec) } as StoredObject;
}
