import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import type { Archive, Retention } from '../../shared/archive/archive.ts'
import type { ArchiveAudit, VersionName } from '../../shared/archive/audit.ts'
import type { Custody } from '../../shared/archive/custody.ts'
import { type DrainId, mailboxId } from '../../shared/contract/ids.ts'
import { rawKey } from '../../shared/contract/object-key.ts'
import { memoryOctets } from '../../shared/octets.ts'
import { isCode } from './archive.ts'

// What every custody adapter promises (shared/archive/custody.ts), run on each of them beside archive and audit of the same store. Refusals are
// those of the store itself.

export interface OpenedCustody {
  readonly archive: Archive
  readonly audit: ArchiveAudit
  readonly custody: Custody
  close(): Promise<void>
}

const DAY_MS = 86_400_000
const LAWFUL = { bypassGovernance: true }
const PLAIN = { bypassGovernance: false }

/** Days from now, to the second. */
function inDays(days: number): Date {
  return new Date(Math.floor((Date.now() + days * DAY_MS) / 1000) * 1000)
}

export function custodyContract(
  name: string,
  open: () => Promise<OpenedCustody>,
  /** Why an engine cannot lengthen a retention in compliance mode: printed with the test that is left out. */
  longerCompliance: string | false = false,
): void {
  describe(`${name} lets the records officer decide`, () => {
    let archive: Archive
    let audit: ArchiveAudit
    let custody: Custody
    let close: () => Promise<void>
    before(async () => {
      ;({ archive, audit, custody, close } = await open())
    })
    after(() => close())

    /** A message with that retention, or with none. */
    async function stored(mode?: Retention['mode']): Promise<VersionName> {
      const body = memoryOctets(randomBytes(200))
      const key = rawKey(mailboxId(`m-${randomUUID()}`), body.sha256)
      const put = await archive.put(key, body, {
        contentType: 'message/rfc822',
        writtenFor: { seq: 1, drain: 'drain-of-the-contract' as DrainId },
      })
      assert.ok(put.outcome === 'created')
      const version = { key, versionId: put.versionId }
      if (mode) await custody.retain(version, { mode, until: inDays(10) })
      return version
    }

    async function isThere({ key }: VersionName): Promise<boolean> {
      return (await archive.find(key)) !== undefined
    }

    test('a hold is set, is seen, refuses the deletion also with a bypass, and is released', async () => {
      const version = await stored()
      await custody.hold(version, 'on')
      await custody.hold(version, 'on')

      assert.equal((await audit.inspect(version))?.legalHold, true)
      for (const options of [PLAIN, LAWFUL])
        await assert.rejects(custody.delete(version, options), isCode('VERSION_PROTECTED'))
      assert.equal(await isThere(version), true)

      await custody.hold(version, 'off')
      await custody.hold(version, 'off')
      assert.equal((await audit.inspect(version))?.legalHold, false)
      await custody.delete(version, PLAIN)
      assert.equal(await isThere(version), false)
    })

    test('a hold is independent of retention: released, the retention is as it was', async () => {
      const version = await stored('governance')
      const { retainUntil } = (await audit.inspect(version)) ?? {}
      await custody.hold(version, 'on')
      await custody.hold(version, 'off')

      const facts = await audit.inspect(version)

      assert.deepEqual([facts?.lockMode, facts?.retainUntil], ['governance', retainUntil])
      await assert.rejects(custody.delete(version, PLAIN), isCode('VERSION_PROTECTED'))
    })

    test('governance refuses the deletion, and lets it through with a bypass', async () => {
      const version = await stored('governance')

      await assert.rejects(custody.delete(version, PLAIN), isCode('VERSION_PROTECTED'))
      assert.equal(await isThere(version), true)
      await custody.delete(version, LAWFUL)

      assert.equal(await isThere(version), false)
    })

    test('compliance refuses the deletion, and no bypass helps', async () => {
      const version = await stored('compliance')

      for (const options of [PLAIN, LAWFUL])
        await assert.rejects(custody.delete(version, options), isCode('VERSION_PROTECTED'))

      assert.equal(await isThere(version), true)
    })

    for (const mode of ['governance', 'compliance'] as const)
      test(`a retention in ${mode} mode becomes longer`, {
        skip: mode === 'compliance' && longerCompliance,
      }, async () => {
        const version = await stored(mode)
        const longer = inDays(20)

        await custody.retain(version, { mode, until: longer })

        const facts = await audit.inspect(version)
        assert.deepEqual([facts?.lockMode, facts?.retainUntil], [mode, longer.toISOString()])
      })

    for (const mode of ['governance', 'compliance'] as const)
      test(`a retention in ${mode} mode never becomes shorter`, async () => {
        const version = await stored(mode)
        const { retainUntil } = (await audit.inspect(version)) ?? {}

        await assert.rejects(custody.retain(version, { mode, until: inDays(5) }), isCode('VERSION_PROTECTED'))

        assert.equal((await audit.inspect(version))?.retainUntil, retainUntil)
      })

    test('deleting leaves neither version nor delete marker, and may be done again', async () => {
      const version = await stored()

      await custody.delete(version, PLAIN)
      await custody.delete(version, PLAIN)

      for await (const { key } of audit.versions(version.key)) assert.fail(`${key} is left`)
    })

    test('the key of what was deleted can be put again, and is a new version without its locks', async () => {
      const body = memoryOctets(randomBytes(100))
      const key = rawKey(mailboxId('again'), body.sha256)
      const options = {
        contentType: 'message/rfc822',
        writtenFor: { seq: 1, drain: 'first' as DrainId },
      } as const
      const first = await archive.put(key, body, options)
      assert.ok(first.outcome === 'created')
      await custody.retain({ key, versionId: first.versionId }, { mode: 'governance', until: inDays(2) })
      await custody.delete({ key, versionId: first.versionId }, LAWFUL)

      const second = await archive.put(key, body, options)

      assert.ok(second.outcome === 'created')
      const facts = await audit.inspect({ key, versionId: second.versionId })
      assert.deepEqual([facts?.lockMode, facts?.legalHold], [undefined, false])
    })

    test('a version that is not there cannot be held or kept', async () => {
      const version = await stored()
      await custody.delete(version, PLAIN)

      await assert.rejects(custody.hold(version, 'on'), isCode('ARCHIVE_CONFLICT'))
      await assert.rejects(
        custody.retain(version, { mode: 'governance', until: inDays(1) }),
        isCode('ARCHIVE_CONFLICT'),
      )
    })
  })
}
