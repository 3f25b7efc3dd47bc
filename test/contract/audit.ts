import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import type { Archive, PutOptions } from '../../shared/archive/archive.ts'
import type { ArchiveAudit, ListedVersion, VersionName } from '../../shared/archive/audit.ts'
import { type DrainId, mailboxId, type ObjectKey } from '../../shared/contract/ids.ts'
import { ledgerKey, ledgerPrefix, rawKey } from '../../shared/contract/object-key.ts'
import { memoryOctets, type Octets } from '../../shared/octets.ts'
import { isCode } from './archive.ts'

// What every audit adapter promises (shared/archive/audit.ts), run on each of them beside the archive adapter of the same store.

export interface OpenedAudit {
  readonly archive: Archive
  readonly audit: ArchiveAudit
  /** What no port allows, for stores that have versions. */
  readonly bypass?: {
    /** A version on top of those that are there, without a lock. */
    putOver(key: ObjectKey, octets: Buffer): Promise<void>
    /** A deletion that names no version. */
    hide(key: ObjectKey): Promise<void>
    setHold(version: VersionName): Promise<void>
  }
  close(): Promise<void>
}

export function auditContract(
  name: string,
  open: () => Promise<OpenedAudit>,
  /** Why it has none: printed with each test that is left out. */
  withoutVersions: string | undefined,
): void {
  describe(`${name} shows an auditor what it has`, () => {
    let opened: OpenedAudit
    let archive: Archive
    let audit: ArchiveAudit
    before(async () => {
      opened = await open()
      archive = opened.archive
      audit = opened.audit
    })
    after(() => opened.close())

    const versioned = { skip: withoutVersions === undefined ? false : `lacks versions: ${withoutVersions}` }

    async function stored(body: Octets = memoryOctets(randomBytes(2000)), more: Partial<PutOptions> = {}) {
      const key = rawKey(mailboxId(`m-${randomUUID()}`), body.sha256)
      await archive.put(key, body, { ...OPTIONS, ...more })
      const [version] = await versionsOf(audit, key)
      assert.ok(version)
      return { key, version, body }
    }

    test('a stored object is one version, the latest, stored just now', async () => {
      const { key, version } = await stored()

      const { storedAt, versionId, ...rest } = version
      assert.deepEqual(rest, { key, octets: 2000, latest: true, deleteMarker: false })
      assert.equal(versionId !== undefined, withoutVersions === undefined)
      assert.ok(Math.abs(Date.parse(storedAt) - Date.now()) < 60_000, storedAt)
      assert.match(storedAt, /^\d{4}-\d\d-\d\dT.*Z$/)
    })

    test('a version is inspected as the archive knows it, without a lock and without a hold', async () => {
      const { key, version } = await stored()

      const facts = await audit.inspect(version)

      assert.ok(facts)
      const { lockMode, legalHold, ...known } = facts
      assert.deepEqual(known, await archive.find(key))
      assert.deepEqual({ lockMode, legalHold }, { lockMode: undefined, legalHold: false })
    })

    test('the octets of a version are read as they are', async () => {
      const { version, body } = await stored()

      assert.deepEqual(await buffer(await audit.open(version)), body.buffer)
    })

    test('a version that is not there is not inspected, and an error to read', async () => {
      const { version } = await stored()
      const key = rawKey(mailboxId('nobody'), memoryOctets(randomBytes(9)).sha256)

      assert.equal(await audit.inspect({ ...version, key }), undefined)
      await assert.rejects(audit.open({ ...version, key }), isCode('ARCHIVE_CONFLICT'))
    })

    test('a listing is in byte order, of one prefix, and begins after a key or between keys', async () => {
      const mailbox = mailboxId(`m-${randomUUID()}`)
      const names = ['a-b', 'a.b', 'a/1', 'a/2', 'aa', 'a0', 'B', 'b/c/d', '10']
      const keys = names.map((each) => `raw/${mailbox}/${each}` as ObjectKey)
      for (const key of keys) await archive.put(key, memoryOctets(Buffer.from(key)), OPTIONS)
      const sorted = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))

      assert.deepEqual(keysOf(await versionsOf(audit, `raw/${mailbox}/`)), sorted)
      for (const [i, key] of sorted.entries())
        assert.deepEqual(keysOf(await versionsOf(audit, `raw/${mailbox}/`, key)), sorted.slice(i + 1))
      assert.deepEqual(
        keysOf(await versionsOf(audit, `raw/${mailbox}/`, `raw/${mailbox}/a/~`)),
        sorted.filter((key) => key > `raw/${mailbox}/a/~`),
      )
    })

    test('a listing of more than a thousand versions is complete', async () => {
      const mailbox = mailboxId(`m-${randomUUID()}`)
      const all = Array.from({ length: 1005 }, (_, i) => ledgerKey(mailbox, i + 1))
      const waiting = all.values()
      await Promise.all(
        Array.from({ length: 32 }, async () => {
          for (const key of waiting) await archive.put(key, memoryOctets(Buffer.from(key)), OPTIONS)
        }),
      )

      assert.deepEqual(keysOf(await versionsOf(audit, ledgerPrefix(mailbox))), all)
    })

    test('a lock is seen with its mode and its end', versioned, async () => {
      const retention = { mode: 'governance', days: 12 } as const
      const { key, version } = await stored(undefined, { retention })

      const facts = await audit.inspect(version)

      assert.equal(facts?.lockMode, 'governance')
      assert.ok(facts?.retainUntil)
      assert.equal(facts.retainUntil, (await archive.find(key))?.retainUntil)
    })

    test('a legal hold is seen', versioned, async () => {
      const { version } = await stored()
      await opened.bypass?.setHold(version)

      assert.equal((await audit.inspect(version))?.legalHold, true)
    })

    test('a second version is seen above the first, and each has its own octets', versioned, async () => {
      const { key, version, body } = await stored()
      await opened.bypass?.putOver(key, Buffer.from('another'))

      const [newest, oldest, ...more] = await versionsOf(audit, key)

      assert.deepEqual(more, [])
      assert.ok(newest && oldest)
      assert.deepEqual([newest.latest, newest.octets, oldest.latest, oldest.octets], [true, 7, false, 2000])
      assert.equal(oldest.versionId, version.versionId)
      assert.equal((await audit.inspect(oldest))?.sha256, body.sha256)
      assert.deepEqual(await buffer(await audit.open(oldest)), body.buffer)
      assert.deepEqual(await buffer(await audit.open(newest)), Buffer.from('another'))
    })

    test('a delete marker is seen above the version that it hides', versioned, async () => {
      const { key, version } = await stored()
      await opened.bypass?.hide(key)

      const listed = await versionsOf(audit, key)

      assert.equal(await archive.find(key), undefined)
      assert.deepEqual(
        listed.map(({ deleteMarker, latest, octets }) => ({ deleteMarker, latest, octets })),
        [
          { deleteMarker: true, latest: true, octets: 0 },
          { deleteMarker: false, latest: false, octets: 2000 },
        ],
      )
      assert.equal((await audit.inspect(version))?.octets, 2000)
    })
  })
}

const OPTIONS: PutOptions = {
  contentType: 'message/rfc822',
  writtenFor: { seq: 3, drain: 'drain-of-the-contract' as DrainId },
}

async function versionsOf(audit: ArchiveAudit, prefix: string, after?: string): Promise<ListedVersion[]> {
  const listed: ListedVersion[] = []
  for await (const version of audit.versions(prefix, after)) listed.push(version)
  return listed
}

function keysOf(versions: readonly ListedVersion[]): ObjectKey[] {
  return versions.map(({ key }) => key)
}
