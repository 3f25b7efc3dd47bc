import type { DrainReport } from './report.ts'

/**
 * What whoever asked for a drain does after it. `done`: nothing. `continue`: ask for another at once. `come-back`: ask again later, with
 * pauses that grow, and not for ever.
 */
export type NextStep = 'done' | 'continue' | 'come-back'

/**
 * A session that failed is tried again later; a mailbox that cannot be entered is not, for repeated log-ins lock accounts. What is left
 * is continued at once, as long as each drain gets something done: one that does not would go on for ever.
 */
export function nextStep({
  error,
  stopped,
  remaining,
  counts,
}: Pick<DrainReport, 'error' | 'stopped' | 'remaining' | 'counts'>): NextStep {
  if (error) return error.scope === 'mailbox' ? 'done' : 'come-back'
  // The rest may be fetched tomorrow, and the schedule asks then.
  if (stopped === 'daily-budget') return 'done'
  if (remaining === 0 && stopped === undefined) return 'done'
  return counts.segments > 0 || counts.acknowledged > 0 ? 'continue' : 'come-back'
}
