import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import type { Archive, PutOptions } from '../../shared/archive/archive.ts'
import { type DrainId, mailboxId, type ObjectKey, type Sha256 } from '../../shared/contract/ids.ts'
import { ledgerKey, ledgerPrefix, rawKey } from '../../shared/contract/object-key.ts'
import { IngestError } from '../../shared/errors.ts'
import { memoryOctets, type Octets, openSpool } from '../../shared/octets.ts'

// What every archive adapter promises (shared/archive/archive.ts), run on each of them.

export interface OpenedArchive {
  readonly archive: Archive
  /** Really tries to delete that version of an object, with all rights that there are short of a bypass of the lock. */
  readonly deleteVersion?: (key: ObjectKey, versionId: string) => Promise<void>
  close(): Promise<void>
}

/** Promises that an adapter or the engine behind it may lack. */
export type Promised =
  | 'versions'
  | 'locks'
  | 'deletion'
  | 'one winner of a race'
  | 'an existing object is not replaced'
  | 'paging'

export function archiveContract(
  name: string,
  open: () => Promise<OpenedArchive>,
  /** Why it lacks what it lacks: printed with each test that is left out. */
  lacks: Partial<Record<Promised, string>> = {},
): void {
  describe(`${name} keeps the archive's promises`, () => {
    let opened: OpenedArchive
    let archive: Archive
    before(async () => {
      opened = await open()
      archive = opened.archive
    })
    after(() => opened.close())

    const promised = (what: Promised): { skip: string | false } => ({
      skip: lacks[what] === undefined ? false : `lacks ${what}: ${lacks[what]}`,
    })

    test('an object that was created is found and read back as it was put', async () => {
      const body = memoryOctets(randomBytes(5000))
      const key = rawKey(freshMailbox(), body.sha256)

      const result = await archive.put(key, body, options({ seq: 7 }))

      assert.equal(result.outcome, 'created')
      const facts = await archive.find(key)
      assert.equal(facts?.key, key)
      assert.equal(facts?.octets, 5000)
      assert.equal(facts?.sha256, body.sha256)
      assert.deepEqual(facts?.writtenFor, { seq: 7, drain: DRAIN })
      const read = await archive.get(key)
      assert.deepEqual(read.facts, facts)
      assert.deepEqual(await buffer(read.body), body.buffer)
    })

    test(
      'an existing object is not replaced, and told by its own facts',
      promised('an existing object is not replaced'),
      async () => {
        const mailbox = freshMailbox()
        const key = ledgerKey(mailbox, 1)
        const first = memoryOctets(Buffer.from('first\n'))
        await archive.put(key, first, options({ seq: 1, drain: 'drain-a' }))

        const result = await archive.put(
          key,
          memoryOctets(Buffer.from('second one\n')),
          options({ seq: 1, drain: 'drain-b' }),
        )

        assert.equal(result.outcome, 'exists')
        assert.equal(result.facts.octets, 6)
        assert.equal(result.facts.sha256, first.sha256)
        assert.deepEqual(result.facts.writtenFor, { seq: 1, drain: 'drain-a' })
        assert.deepEqual(await read(archive, key), first.buffer)
      },
    )

    test(
      'the same octets put again by the same drain exist already',
      promised('an existing object is not replaced'),
      async () => {
        const body = memoryOctets(randomBytes(100))
        const key = rawKey(freshMailbox(), body.sha256)
        await archive.put(key, body, options())

        assert.equal((await archive.put(key, body, options())).outcome, 'exists')
      },
    )

    test(
      'of twelve puts of one key at the same time one wins, and its facts fit its octets',
      promised('one winner of a race'),
      async () => {
        const key = ledgerKey(freshMailbox(), 1)
        const bodies = Array.from({ length: 12 }, (_, i) =>
          memoryOctets(Buffer.from(`octets of drain ${i}\n`.repeat(i + 1))),
        )

        const results = await Promise.all(
          bodies.map((body, i) => archive.put(key, body, options({ seq: 1, drain: `drain-${i}` }))),
        )

        const winners = [...results.keys()].filter((i) => results[i]?.outcome === 'created')
        assert.equal(winners.length, 1, `${winners.length} winners`)
        const [winner = -1] = winners
        assert.deepEqual(await read(archive, key), bodies[winner]?.buffer)
        const facts = await archive.find(key)
        assert.equal(facts?.sha256, bodies[winner]?.sha256)
        assert.equal(facts?.writtenFor?.drain, `drain-${winner}`)
        for (const result of results) if (result.outcome === 'exists') assert.deepEqual(result.facts, facts)
      },
    )

    for (const [lie, make] of Object.entries(LIES))
      test(`a source that ${lie} is refused and nothing is stored`, async () => {
        const body = make()
        const key = rawKey(freshMailbox(), body.sha256)

        await assert.rejects(archive.put(key, body, options()), isCode('ARCHIVE_UNAVAILABLE'))

        assert.equal(await archive.find(key), undefined)
        const honest = memoryOctets(Buffer.from('the key is free as before'))
        assert.equal((await archive.put(key, honest, options())).outcome, 'created')
      })

    test('an object that is not there is not found, and an error to read', async () => {
      const key = rawKey(freshMailbox(), memoryOctets(randomBytes(8)).sha256)

      assert.equal(await archive.find(key), undefined)
      await assert.rejects(archive.get(key), isCode('ARCHIVE_CONFLICT'))
    })

    test('an object may be empty', async () => {
      const body = memoryOctets(Buffer.alloc(0))
      const key = rawKey(freshMailbox(), body.sha256)

      assert.equal((await archive.put(key, body, options())).outcome, 'created')

      assert.equal((await archive.find(key))?.octets, 0)
      assert.deepEqual(await read(archive, key), Buffer.alloc(0))
    })

    test('a spooled object of 20 MB is kept exactly', async () => {
      const content = randomBytes(20_000_000)
      const spool = openSpool()
      try {
        const body = await spool.collect(
          Readable.from([content.subarray(0, 7_000_001), content.subarray(7_000_001)]),
          1024,
        )
        assert.equal(body.buffer, undefined)
        const key = rawKey(freshMailbox(), body.sha256)

        assert.equal((await archive.put(key, body, options())).outcome, 'created')

        const { body: stream, facts } = await archive.get(key)
        assert.equal(facts.octets, content.length)
        assert.equal(content.equals(await buffer(stream)), true)
        if (lacks['an existing object is not replaced'] === undefined)
          assert.equal((await archive.put(key, body, options())).outcome, 'exists')
      } finally {
        await spool.close()
      }
    })

    test('a key may have every character that is legal in keys', async () => {
      const key = `raw/${freshMailbox()}/AZaz09!_.*'()-/x.y` as ObjectKey
      const body = memoryOctets(randomBytes(10))

      await archive.put(key, body, options())

      assert.deepEqual(await read(archive, key), body.buffer)
      assert.deepEqual(await keys(archive, key), [key])
    })

    for (const key of [
      '',
      '/a',
      'a/',
      'a//b',
      '../a',
      'raw/../a',
      'raw/.hidden',
      'raw/ä',
      'a\\b',
      'a\0b',
      'x'.repeat(1025),
    ])
      test(`${JSON.stringify(key.slice(0, 12))} is not a key`, async () => {
        await assert.rejects(
          archive.put(key as ObjectKey, memoryOctets(Buffer.from('x')), options()),
          TypeError,
        )
      })

    test('a listing is in byte order, of one prefix, and begins after a key', async () => {
      const mailbox = freshMailbox()
      const names = ['a-b', 'a.b', 'a/1', 'a/2', 'aa', 'a0', 'B', 'b/c/d', 'b/c-d', '10', '9']
      const all = names.map((name) => `raw/${mailbox}/${name}` as ObjectKey)
      for (const key of all) await archive.put(key, memoryOctets(Buffer.from(key)), options())
      await archive.put(`raw/${mailbox}-2/a` as ObjectKey, memoryOctets(Buffer.from('other')), options())
      const sorted = [...all].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))

      assert.deepEqual(await keys(archive, `raw/${mailbox}/`), sorted)
      assert.deepEqual(
        await keys(archive, `raw/${mailbox}/a`),
        sorted.filter((key) => key.startsWith(`raw/${mailbox}/a`)),
      )
      for (const [i, key] of sorted.entries())
        assert.deepEqual(await keys(archive, `raw/${mailbox}/`, key), sorted.slice(i + 1), `after ${key}`)
      assert.deepEqual(
        await keys(archive, `raw/${mailbox}/`, `raw/${mailbox}/a/11` as ObjectKey),
        sorted.slice(sorted.indexOf(all[3] as ObjectKey)),
      )
      assert.deepEqual(await keys(archive, `raw/${freshMailbox()}/`), [])
      for await (const { key, octets } of archive.list(`raw/${mailbox}/`)) assert.equal(octets, key.length)
    })

    test('a listing of more than a thousand keys is complete', promised('paging'), async () => {
      const mailbox = freshMailbox()
      const all = Array.from({ length: 1205 }, (_, i) => ledgerKey(mailbox, i + 1))
      const waiting = all.values()
      await Promise.all(
        Array.from({ length: 32 }, async () => {
          for (const key of waiting) await archive.put(key, memoryOctets(Buffer.from(key)), options())
        }),
      )

      assert.deepEqual(await keys(archive, ledgerPrefix(mailbox)), all)
      assert.deepEqual(await keys(archive, ledgerPrefix(mailbox), all[100]), all.slice(101))
    })

    test('a listing may be left before its end', async () => {
      const mailbox = freshMailbox()
      for (const seq of [1, 2, 3])
        await archive.put(ledgerKey(mailbox, seq), memoryOctets(Buffer.from('x')), options())

      for await (const { key } of archive.list(ledgerPrefix(mailbox))) {
        assert.equal(key, ledgerKey(mailbox, 1))
        break
      }
    })

    test('an object has a URI that ends with its key', () => {
      const key = rawKey(mailboxId('invoices'), 'ab'.repeat(32) as Sha256)

      assert.match(archive.uri(key), /^(s3|file|memory):\/\/.+/)
      assert.ok(archive.uri(key).endsWith(key))
    })

    test('a check tells where the archive is and what it cannot promise', async () => {
      const facts = await archive.check()

      assert.equal(facts.objectLock, lacks.locks === undefined)
      assert.equal(facts.versioning, lacks.versions === undefined)
      if (lacks.locks !== undefined) assert.notDeepEqual(facts.warnings, [])
    })

    test('a created object has a version id, and is found by it', promised('versions'), async () => {
      const body = memoryOctets(randomBytes(10))
      const key = rawKey(freshMailbox(), body.sha256)

      const result = await archive.put(key, body, options())

      assert.ok(result.outcome === 'created' && result.versionId)
      assert.equal((await archive.find(key))?.versionId, result.versionId)
    })

    test('a retention of its own overrides the default and is visible', promised('locks'), async () => {
      const body = memoryOctets(randomBytes(10))
      const key = rawKey(freshMailbox(), body.sha256)

      const result = await archive.put(key, body, {
        ...options(),
        retention: { mode: 'governance', days: 12 },
      })

      assert.ok(result.outcome === 'created' && result.retainUntil)
      const days = (Date.parse(result.retainUntil) - Date.now()) / 86_400_000
      assert.ok(days > 11.9 && days < 12.1, `${days} days`)
      assert.equal((await archive.find(key))?.retainUntil, result.retainUntil)
    })

    test(
      'a locked object survives a real attempt to delete it',
      promised(lacks.locks === undefined ? 'deletion' : 'locks'),
      async () => {
        const body = memoryOctets(randomBytes(10))
        const key = rawKey(freshMailbox(), body.sha256)
        const result = await archive.put(key, body, {
          ...options(),
          retention: { mode: 'compliance', days: 1 },
        })
        assert.ok(result.outcome === 'created' && result.versionId && opened.deleteVersion)

        await assert.rejects(opened.deleteVersion(key, result.versionId))

        assert.deepEqual(await read(archive, key), body.buffer)
      },
    )
  })
}

const DRAIN = 'drain-of-the-contract' as DrainId

function options({ seq = 1, drain = DRAIN }: { seq?: number; drain?: string } = {}): PutOptions {
  return { contentType: 'message/rfc822', writtenFor: { seq, drain: drain as DrainId } }
}

const freshMailbox = () => mailboxId(`m-${randomUUID()}`)

const LIES: Record<string, () => Octets> = {
  'ends early': () => streamed(Buffer.alloc(300_000, 'x'), (content) => content.subarray(0, 200_000)),
  'is empty instead of one octet': () => streamed(Buffer.from('x'), () => Buffer.alloc(0)),
  'goes on too long': () => streamed(Buffer.alloc(1000, 'x'), (content) => Buffer.concat([content, content])),
  'has another SHA-256': () =>
    streamed(Buffer.alloc(1000, 'x'), (content) => Buffer.alloc(content.length, 'y')),
  'breaks off with an error': () => ({
    ...streamed(Buffer.alloc(300_000, 'x'), (content) => content),
    open: () =>
      Readable.from(
        (async function* () {
          yield Buffer.alloc(100_000, 'x')
          throw new Error('the spool broke')
        })(),
        { objectMode: false },
      ),
  }),
}

/** Octets as from a spool, whose source says something else than promised. */
function streamed(content: Buffer, source: (content: Buffer) => Buffer): Octets {
  return {
    ...memoryOctets(content),
    buffer: undefined,
    open: () => {
      const octets = source(content)
      const half = Math.ceil(octets.length / 2)
      return Readable.from([octets.subarray(0, half), octets.subarray(half)], { objectMode: false })
    },
  }
}

async function read(archive: Archive, key: ObjectKey): Promise<Buffer> {
  return buffer((await archive.get(key)).body)
}

async function keys(archive: Archive, prefix: string, after?: ObjectKey): Promise<ObjectKey[]> {
  const found: ObjectKey[] = []
  for await (const { key } of archive.list(prefix, after)) found.push(key)
  return found
}

export function isCode(code: IngestError['code']): (error: unknown) => boolean {
  return (error) => error instanceof IngestError && error.code === code
}
