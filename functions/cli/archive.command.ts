import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ObjectFacts } from '../../shared/archive/archive.ts'
import { errnoOf } from '../../shared/archive/file-errors.ts'
import { IngestError } from '../../shared/errors.ts'
import { archivedMessages } from '../../shared/query/archived-messages.ts'
import { messageObject, messageRow } from './message-row.ts'
import { oneMessage } from './one-message.ts'
import { octetsText, table } from './output.ts'
import type { Run } from './run.ts'
import { chosenMailboxes } from './settings.ts'

/** What is archived, as the ledger has it: every message once, in the order in which they were archived. */
export async function listCommand(
  run: Run,
  ids: readonly string[],
  options: { readonly limit: number },
): Promise<void> {
  const { output, settings, stores, signal } = run
  let left = options.limit
  const rows: string[][] = []
  for (const { id } of chosenMailboxes(settings.config, ids))
    for await (const message of archivedMessages(id, stores.archive)) {
      if (left <= 0 || signal.aborted) break
      left--
      output.result(messageObject(message), () => {
        rows.push(messageRow(message))
        return ''
      })
    }
  if (rows.length > 0) output.result({}, () => table(rows))
  if (left <= 0) output.note(`There may be more: raise --limit (${options.limit}).`)
}

/** The octets of one message, to stdout or a file. The archive checks them against their SHA-256 on the way. */
export async function getCommand(run: Run, id: string, options: { readonly output?: string }): Promise<void> {
  const { output, stores } = run
  const facts = await oneMessage(run, 'archive get', id)
  if (!facts) return
  const { body } = await stores.archive.get(facts.key)
  if (options.output !== undefined) {
    await save(run, facts, body, options.output)
  } else if (output.json) {
    body.destroy()
    output.result({ ...facts, uri: stores.archive.uri(facts.key) }, () => '')
  } else await pipeline(body, output.stdout, { end: false })
}

/** To a file that is not there yet; what was written of one that failed is removed. */
async function save({ output }: Run, facts: ObjectFacts, body: Readable, file: string): Promise<void> {
  let made = false
  const target = createWriteStream(file, { flags: 'wx' }).once('open', () => {
    made = true
  })
  try {
    await pipeline(body, target)
  } catch (error) {
    if (made) await rm(file, { force: true })
    if (error instanceof IngestError || errnoOf(error) === undefined) throw error
    output.problem(`--output ${file}`, error)
    return
  }
  output.result({ ...facts, file }, () => `${file}: ${octetsText(facts.octets)}, SHA-256 ${facts.sha256}`)
}
