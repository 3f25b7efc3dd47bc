import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openImap } from '../../shared/mailbox/imap.ts'
import { accessTo, withSession } from '../support/imap-session.ts'
import { startScriptedImap } from '../support/scripted-imap.ts'

/** As Gmail lists them in German: the uses stay, the names do not. */
const GMAIL = [
  '(\\HasNoChildren) "/" INBOX',
  '(\\HasChildren \\Noselect) "/" "[Gmail]"',
  '(\\All \\HasNoChildren) "/" "[Gmail]/Alle Nachrichten"',
  '(\\Drafts \\HasNoChildren) "/" "[Gmail]/Entw&APw-rfe"',
  '(\\HasNoChildren \\Important) "/" "[Gmail]/Wichtig"',
  '(\\HasNoChildren) "/" "Rechnungen/2026"',
]

async function drained(folders: string[], skipFolders?: string[]): Promise<readonly string[]> {
  const list = GMAIL.map((line) => `* LIST ${line}\r\n`).join('')
  const server = await startScriptedImap({
    capabilities: 'IMAP4rev1 SPECIAL-USE',
    answers: [[/^LIST/i, `${list}{tag} OK done\r\n`]],
  })
  try {
    let found: readonly string[] = []
    await withSession(openImap, accessTo(server, { folders, skipFolders }), async (session) => {
      found = await session.folders()
    })
    return [...found].sort()
  } finally {
    await server.close()
  }
}

describe('folders that a wildcard leaves out', () => {
  const all = ['INBOX', 'Rechnungen/2026', '[Gmail]/Alle Nachrichten', '[Gmail]/Entwürfe', '[Gmail]/Wichtig']

  test('are told by their use, in whatever language they are named', async () => {
    assert.deepEqual(await drained(['*'], ['\\All', '\\important']), [
      'INBOX',
      'Rechnungen/2026',
      '[Gmail]/Entwürfe',
    ])
  })

  test('or by a glob', async () => {
    assert.deepEqual(await drained(['*'], ['[Gmail]/*']), ['INBOX', 'Rechnungen/2026'])
  })

  test('are there when they are named', async () => {
    assert.deepEqual(await drained(['INBOX', '[Gmail]/Alle Nachrichten'], ['\\All']), [
      'INBOX',
      '[Gmail]/Alle Nachrichten',
    ])
  })

  test('are there when they are named by their use, beside others or alone', async () => {
    assert.deepEqual(await drained(['\\all'], ['\\All']), ['[Gmail]/Alle Nachrichten'])
    assert.deepEqual(await drained(['INBOX', '\\Drafts']), ['INBOX', '[Gmail]/Entwürfe'])
  })

  test('a use that no folder has is a mistake, told with the folders that are there', async () => {
    await assert.rejects(drained(['\\Archive']), {
      code: 'FOLDER_MISSING',
      message: /no folder \\Archive; there are INBOX, /,
    })
  })

  test('are none without such a setting', async () => {
    assert.deepEqual(await drained(['*']), all)
  })
})
