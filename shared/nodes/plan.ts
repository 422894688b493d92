/**
 * A plan: what one listing of a node decided. Numbered by run and by the version of the node's item, and written so that
 * plans of one node compare as strings. Numbers never restart, so no two plans of a node are alike.
 */
export type Plan = string & { readonly __plan: unique symbol };

export const planOf = (run: number, version: number): Plan =>
  `${String(run).padStart(8, '0')}.${String(version).padStart(8, '0')}` as Plan;

export const runOf = (plan: Plan): number => Number(plan.slice(0, 8));
