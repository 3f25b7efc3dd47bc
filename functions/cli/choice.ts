import type { Command } from 'commander'
import { readMembers } from '../../shared/cases/case-log.ts'
import type { CaseName } from '../../shared/contract/ids.ts'
import { ConfigurationError } from '../../shared/errors.ts'
import type { MessageQuery } from '../../shared/query/query.ts'
import { type QueryOptions, readQuery, withQueryOptions } from './query-options.ts'
import type { Run } from './run.ts'

/** A query, and a case of legal hold that its messages are held for. */
export interface ChoiceOptions extends QueryOptions {
  readonly case?: string
}

export function withChoiceOptions(command: Command): Command {
  return withQueryOptions(command).option('--case <name>', 'messages held for this case')
}

/** Rejects with a ConfigurationError for mistakes and for a case that there is not, and with ARCHIVE_… and CASE_CORRUPT. */
export async function readChoice(options: ChoiceOptions, run: Run): Promise<MessageQuery> {
  const query = readQuery(options, run)
  if (options.case === undefined) return query
  const { head, members } = await readMembers(options.case as CaseName, run.stores.archive)
  if (!head)
    throw new ConfigurationError('query', [
      `--case: there is no case ${options.case}; mailsluice cases list has them`,
    ])
  const ids = query.ids && new Set(query.ids)
  const held = [...members].filter(([, { is }]) => is === 'held').map(([id]) => id)
  return {
    ...query,
    ids: ids ? held.filter((id) => ids.has(id) || ids.has(id.split('/')[1] as string)) : held,
  }
}
