import type { MailboxId } from '../contract/ids.ts'
import { type ColumnType, LEDGER_COLUMNS } from '../contract/ledger-table.ts'
import type { MessageEntry } from '../ledger/segment.ts'
import type { SearchHit } from './search.ts'

const FROM_TEXT: Readonly<Record<ColumnType, (text: string) => unknown>> = {
  text: (text) => text,
  integer: Number,
  flag: (text) => text === 'true',
  texts: JSON.parse,
}

/** A hit of a row by its columns, see ANSWER_COLUMNS. Values are what they are in the ledger, or their texts. */
export function hitOf({ mailbox, seq, archivedAt, certain, ...row }: Record<string, unknown>): SearchHit {
  const entry = Object.fromEntries(
    Object.entries(LEDGER_COLUMNS).flatMap(([name, type]) => {
      const value = row[name]
      if (value === null || value === undefined) return []
      if (typeof value === 'bigint') return [[name, Number(value)]]
      return [[name, typeof value === 'string' ? FROM_TEXT[type](value) : value]]
    }),
  )
  // UIDs are numbers in the ledger; a column has one type.
  const id = /^\d+$/.test(String(row.epoch)) ? Number(row.id) : row.id
  return {
    mailbox: mailbox as MailboxId,
    seq: Number(seq),
    archivedAt: archivedAt as string,
    certain: certain === true || certain === 'true',
    entry: { ...entry, id } as MessageEntry,
  }
}
