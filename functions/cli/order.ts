import { hostname, userInfo } from 'node:os'
import type { Command } from 'commander'
import type { Order } from '../../shared/cases/case-log.ts'
import { ConfigurationError } from '../../shared/errors.ts'

/** Longer ones belong into a file of the case, not into every line of a ledger. */
const CHARACTERS_MOST = 500

export interface OrderOptions {
  readonly reason: string
  readonly by?: string
}

/** Adds who and why to a command of the records officer. */
export function withOrder(command: Command): Command {
  return command
    .requiredOption('--reason <text>', 'why: it is recorded, under lock')
    .option('--by <name>', 'who orders it, recorded as well (default: the user of this machine)')
}

/** Throws a ConfigurationError for an order that would not tell anything. */
export function orderOf({ reason, by = whoever() }: OrderOptions): Order {
  const problems = Object.entries({ reason, by }).flatMap(([name, text]) => {
    if (text.trim() === '') return [`--${name}: empty; expected some words`]
    return text.length > CHARACTERS_MOST
      ? [`--${name}: ${text.length} characters; expected ${CHARACTERS_MOST} at most`]
      : []
  })
  if (problems.length > 0) throw new ConfigurationError('order', problems)
  return { reason: reason.trim(), by: by.trim() }
}

/** The user of this machine. */
export function whoever(): string {
  return `${userInfo().username}@${hostname()}`
}
