import type * as z from 'zod';
import { RefusedError } from './refused.js';
import { cut, shown } from './shown.js';

type Issue = z.core.$ZodIssue;

/** Turns what a validator found into the refusal a user reads: `subject: path: VALUE problem; what to do`. */
export function explain(found: Issue, raw: unknown, subject: string): RefusedError {
  const issue = settled(found);
  const { path } = issue;
  const isUnknown = issue.code === 'unrecognized_keys';
  const problem = isUnknown ? 'is not a field here' : problemText(issue, valueAt(raw, path));
  return RefusedError.field('invalid', cut(subject), pathText(isUnknown ? [...path, issue.keys[0]] : path), problem);
}

/** Of a choice between mappings, what is wrong with the one that was meant: the one with the least wrong. */
function settled(issue: Issue): Issue {
  if (issue.code !== 'invalid_union' || 'options' in issue) return issue;
  const [branch = []] = [...issue.errors].sort((a, b) => a.length - b.length);
  const isMapping = branch.length > 0 && (branch[0].path.length > 0 || branch[0].code === 'unrecognized_keys');
  return isMapping ? settled({ ...branch[0], path: [...issue.path, ...branch[0].path] }) : issue;
}

/** `['spec', 'subnets', 0, 'prefix']` as `spec.subnets[0].prefix`. Names nobody expects may be long: they are cut. */
export function pathText(path: readonly PropertyKey[]): string {
  const text = (key: PropertyKey, i: number): string =>
    typeof key === 'number' ? `[${key}]` : `${i === 0 ? '' : '.'}${cut(String(key))}`;
  return path.map(text).join('');
}

function problemText(issue: Issue, value: unknown): string {
  if (value === undefined && issue.code !== 'custom') return 'is missing';
  const text = shown(value);
  switch (issue.code) {
    case 'custom':
      return issue.message;
    case 'invalid_type':
      return `${text} is not ${TYPE_TEXT[issue.expected] ?? `a ${issue.expected}`}`;
    case 'invalid_value':
      return `${text} is not known; use ${issue.values.map(String).join(', ')}`;
    case 'too_small':
      return issue.origin === 'array'
        ? 'is empty; name at least one or leave it out'
        : `${text} is too small; use ${issue.minimum} or more`;
    case 'too_big':
      return `${text} is too large; use ${issue.maximum} or less`;
    case 'invalid_union':
      return unionText(issue, value);
    default:
      return `${text} is not valid`;
  }
}

/** Of a choice by `type`, the types; of any other, what its most telling branch says. */
function unionText(issue: Extract<Issue, { code: 'invalid_union' }>, value: unknown): string {
  const { options } = issue as { readonly options?: readonly unknown[] };
  if (options !== undefined) return `${shown(value)} is not known; use ${options.map(String).join(', ')}`;
  const found = issue.errors.flat();
  return problemText(found.find((branch) => branch.code !== 'invalid_type') ?? found[0], value);
}

const TYPE_TEXT: Readonly<Partial<Record<string, string>>> = {
  string: 'text; put it in quotes',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a mapping',
  record: 'a mapping',
  array: 'a list',
};

function valueAt(raw: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined,
    raw,
  );
}
