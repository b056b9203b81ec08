import * as z from 'zod';

/** What says which objects are meant by their labels, as Kubernetes does (its LabelSelector). */

const OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const;

const expression = z
  .strictObject({ key: z.string().min(1), operator: z.enum(OPERATORS), values: z.array(z.string()).default([]) })
  .superRefine(({ operator, values }, context) => {
    const needsValues = operator === 'In' || operator === 'NotIn';
    if (needsValues === values.length > 0) return;
    const message = needsValues ? `is empty; operator ${operator} needs at least one` : `does not go with ${operator}`;
    context.addIssue({ code: 'custom', path: ['values'], message });
  });

export const labelSelector = z.strictObject({
  matchLabels: z.record(z.string(), z.string()).default({}).describe('Labels it has, with these values'),
  matchExpressions: z.array(expression).default([]).describe('What else is true of its labels'),
});

/** All of it must be true of an object's labels; `{}` selects everything. */
export type LabelSelector = z.output<typeof labelSelector>;

export type Labels = Readonly<Record<string, string>>;

/** Whether an object with these labels is selected. */
export function selects({ matchLabels, matchExpressions }: LabelSelector, labels: Labels): boolean {
  const has = (key: string): boolean => Object.hasOwn(labels, key);
  return (
    Object.entries(matchLabels).every(([key, value]) => has(key) && labels[key] === value) &&
    matchExpressions.every(({ key, operator, values }) => {
      switch (operator) {
        case 'In':
          return has(key) && values.includes(labels[key]);
        case 'NotIn':
          return !has(key) || !values.includes(labels[key]);
        case 'Exists':
          return has(key);
        case 'DoesNotExist':
          return !has(key);
      }
    })
  );
}
