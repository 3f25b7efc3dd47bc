import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { Command } from 'commander'
import { type QueryOptions, readQuery, withQueryOptions } from '../../functions/cli/query-options.ts'
import { readSettings } from '../../functions/cli/settings.ts'
import { ConfigurationError } from '../../shared/errors.ts'
import { CliFolder, mailboxOn } from '../support/cli.ts'

const folder = new CliFolder()
after(() => folder.remove())
const settings = readSettings(folder.config('mailsluice.yaml', mailboxOn({ port: 143 })))

const DIGEST = '2e73b09e7ca9d4637fc4f0faedc9d9e51f4519e8f98aafd77a810a09de7adcbb'

function read(...words: string[]) {
  const command = withQueryOptions(new Command()).exitOverride().parse(words, { from: 'user' })
  return readQuery(command.opts<QueryOptions>(), { settings })
}

/** Every mistake that is told. */
function mistakes(...words: string[]): readonly string[] {
  try {
    read(...words)
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems
    throw error
  }
  assert.fail('nothing was told')
}

describe('the query of the command line', () => {
  test('has the fields that were given, and no others', () => {
    assert.deepEqual(read(), {})
    assert.deepEqual(
      read(
        '--address',
        'a@x.example',
        '--address',
        '*@y.example',
        '--subject',
        ' offer  March ',
        '--subject',
        'x',
      ),
      { address: ['a@x.example', '*@y.example'], subject: ['offer', 'March', 'x'] },
    )
    assert.deepEqual(
      read('--since', '2026-03-01', '--before', '2026-04-01T00:00:00+02:00', '--class', 'bounce'),
      {
        since: '2026-03-01',
        before: '2026-04-01T00:00:00+02:00',
        class: ['bounce'],
      },
    )
    assert.deepEqual(read('--message-id', '<a@b>', '--mailbox', 'orders'), {
      messageId: ['a@b'],
      mailboxes: ['orders'],
    })
  })

  test('takes ids as people have them, also from a file', () => {
    const file = folder.write('ids.txt', `${DIGEST}\r\n\n orders/${DIGEST}\n`)
    const key = `raw/orders/2e/${DIGEST}.eml`

    assert.deepEqual(read('--id', DIGEST.toUpperCase(), '--id', key, '--ids', file).ids, [
      DIGEST,
      `orders/${DIGEST}`,
      DIGEST,
      `orders/${DIGEST}`,
    ])
  })

  test('tells every mistake at once, each by its option', () => {
    assert.deepEqual(mistakes('--since', 'yesterday', '--class', 'spam', '--id', DIGEST, '--id', 'abc'), [
      '--since: "yesterday": expected YYYY-MM-DD, or a time with its zone such as 2026-03-01T08:00:00Z',
      '--class: "spam": expected one of ordinary, bounce, auto-reply, calendar, read-receipt, complaint, dmarc-report, list, encrypted',
      '--id: "abc": expected a whole SHA-256, <mailbox>/<sha256>, or a key raw/…',
    ])
    assert.match(mistakes('--before', '2026-02-30')[0] ?? '', /^--before/)
    assert.match(mistakes('--subject', ' ')[0] ?? '', /^--subject/)
    assert.match(mistakes('--address', '')[0] ?? '', /^--address: ""/)
    assert.match(mistakes('--mailbox', 'other')[0] ?? '', /^other is not configured/)
    assert.match(mistakes('--ids', `${folder.path}/none`)[0] ?? '', /^--ids .*cannot be read/)
    const empty = folder.write('empty.txt', '\n')
    assert.match(mistakes('--ids', empty)[0] ?? '', /^--id/)
  })
})
