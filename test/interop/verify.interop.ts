import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  PutObjectCommand,
  PutObjectLegalHoldCommand,
  PutObjectLockConfigurationCommand,
  PutObjectRetentionCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import type { Retention } from '../../shared/archive/archive.ts'
import { openS3Archive, type S3Archive } from '../../shared/archive/s3.ts'
import { openS3Audit, type S3Audit } from '../../shared/archive/s3-audit.ts'
import type { MailboxId, ObjectKey } from '../../shared/contract/ids.ts'
import { ledgerKey, rawKey, snapshotKey } from '../../shared/contract/object-key.ts'
import type { Finding } from '../../shared/operations/verification/finding.ts'
import { verifyArchive } from '../../shared/operations/verify-archive.ts'
import { openMemoryState } from '../../shared/state/memory.ts'
import type { StateStore } from '../../shared/state/state.ts'
import { recordMessages } from '../support/recorded-archive.ts'
import { MAILBOX } from '../support/segments.ts'
import { digestOf } from '../support/stores.ts'
import { minio, type RunningS3, type S3Engine, versity } from './engines/s3-engine.ts'

// Tampering with a bucket whose locks an engine of others enforces, by somebody who may bypass governance mode.

const POLICY: Retention = { mode: 'governance', days: 10 }
const ONE = rawKey(MAILBOX, digestOf('one'))
const OTHER = 'other' as MailboxId
const LAST = ledgerKey(MAILBOX, 2)

for (const engine of [versity, minio]) {
  if (engine.binary) describe(`an archive on ${engine.name}`, () => withEngine(engine))
  else test(`an archive on ${engine.name}`, { skip: engine.missing }, () => {})
}

class World {
  readonly bucket: string = `mail-${randomUUID()}`
  readonly state: StateStore = openMemoryState()
  readonly admin: S3Client
  readonly archive: S3Archive
  readonly audit: S3Audit

  constructor(running: RunningS3) {
    this.admin = new S3Client({ ...running, forcePathStyle: true })
    this.archive = openS3Archive({ ...running, bucket: this.bucket })
    this.audit = openS3Audit({ ...running, bucket: this.bucket })
  }

  static async open(running: RunningS3): Promise<World> {
    const world = new World(running)
    await world.admin.send(
      new CreateBucketCommand({ Bucket: world.bucket, ObjectLockEnabledForBucket: true }),
    )
    const { archive, state } = world
    await recordMessages(archive, [['one', 'two'], ['three']], { state, retention: POLICY })
    return world
  }

  async findings(): Promise<readonly Finding[]> {
    const findings: Finding[] = []
    await verifyArchive(
      this,
      {
        mailboxes: undefined,
        policyOf: () => POLICY,
        deep: true,
        sample: 1,
        seed: '',
        now: new Date(Date.now() + 3_600_000),
      },
      {
        found: (finding) => findings.push(finding),
        verified: ({ held }) => {
          this.held = held
        },
        progress: () => {},
        checkpoint: () => {},
      },
    )
    return findings
  }

  held = 0

  /** Bucket, key and version of what is there now. */
  async version(key: ObjectKey): Promise<{ Bucket: string; Key: ObjectKey; VersionId: string }> {
    const facts = await this.archive.find(key)
    assert.ok(facts?.versionId)
    return { Bucket: this.bucket, Key: key, VersionId: facts.versionId }
  }

  async remove(key: ObjectKey): Promise<void> {
    const version = await this.version(key)
    await assert.rejects(this.admin.send(new DeleteObjectCommand(version)))
    await this.admin.send(new DeleteObjectCommand({ ...version, BypassGovernanceRetention: true }))
  }

  close(): void {
    for (const opened of [this.archive, this.audit, this.admin])
      if ('close' in opened) opened.close()
      else opened.destroy()
  }
}

function withEngine(engine: S3Engine): void {
  let running: RunningS3
  const worlds: World[] = []
  before(async () => {
    running = await engine.start()
  })
  after(async () => {
    for (const world of worlds) world.close()
    await running.stop()
  })

  async function opened(): Promise<World> {
    const world = await World.open(running)
    worlds.push(world)
    return world
  }

  test('verifies as it was left, every octet read, and after an attempt to delete that was refused', async () => {
    const world = await opened()
    await assert.rejects(world.admin.send(new DeleteObjectCommand(await world.version(ONE))))

    assert.deepEqual(await world.findings(), [])
  })

  const TAMPERING: Record<string, [(world: World) => Promise<unknown>, ...(readonly [string, string])[]]> = {
    'a removed message': [(world) => world.remove(ONE), ['object-missing', ONE]],
    'a removed end of the ledger': [
      (world) => world.remove(LAST),
      ['history-rewritten', snapshotKey(MAILBOX)],
      ['unrecorded', rawKey(MAILBOX, digestOf('three'))],
    ],
    'a removed beginning of the ledger': [
      (world) => world.remove(ledgerKey(MAILBOX, 1)),
      ['segment-missing', ledgerKey(MAILBOX, 1)],
      ['unrecorded', rawKey(MAILBOX, digestOf('two'))],
      ['unrecorded', ONE],
    ],
    'a shortened retention': [
      async (world) =>
        world.admin.send(
          new PutObjectRetentionCommand({
            ...(await world.version(ONE)),
            Retention: { Mode: 'GOVERNANCE', RetainUntilDate: new Date(Date.now() + 5 * 86_400_000) },
            BypassGovernanceRetention: true,
          }),
        ),
      ['retention-shortened', ONE],
      ['retention-below-policy', ONE],
    ],
    'a message put over': [
      ({ admin, bucket }) => admin.send(new PutObjectCommand({ Bucket: bucket, Key: ONE, Body: 'on!' })),
      ['extra-version', ONE],
    ],
    'a segment put over': [
      ({ admin, bucket }) => admin.send(new PutObjectCommand({ Bucket: bucket, Key: LAST, Body: '{}\n' })),
      ['segment-unreadable', LAST],
      ['history-rewritten', snapshotKey(MAILBOX)],
      ['extra-version', LAST],
      ['unrecorded', rawKey(MAILBOX, digestOf('three'))],
    ],
    'a hidden message': [
      ({ admin, bucket }) => admin.send(new DeleteObjectCommand({ Bucket: bucket, Key: ONE })),
      ['delete-marker', ONE],
    ],
    'objects that are none of ours': [
      ({ admin, bucket }) =>
        Promise.all(
          ['a&b', 'raw/é', `raw/${MAILBOX}/é`].map((Key) =>
            admin.send(new PutObjectCommand({ Bucket: bucket, Key, Body: 'x' })),
          ),
        ),
      ['unrecorded', 'a&b'],
      ['unrecorded', 'raw/é'],
      ['unrecorded', `raw/${MAILBOX}/é`],
    ],
  }
  for (const [what, [tamper, ...expected]] of Object.entries(TAMPERING))
    test(`shows ${what}`, async () => {
      const world = await opened()
      await tamper(world)

      const findings = await world.findings()

      assert.deepEqual(
        findings.map(({ kind, key }) => [kind, key]),
        expected,
      )
    })

  test('shows of what the default of the bucket alone holds what the store tells of it', async () => {
    const world = await opened()
    const { admin, archive, bucket } = world
    await admin.send(
      new PutObjectLockConfigurationCommand({
        Bucket: bucket,
        ObjectLockConfiguration: {
          ObjectLockEnabled: 'Enabled',
          Rule: { DefaultRetention: { Mode: 'GOVERNANCE', Days: 20 } },
        },
      }),
    )
    await recordMessages(archive, [['four']], { mailbox: OTHER })
    const key = rawKey(OTHER, digestOf('four'))
    await assert.rejects(admin.send(new DeleteObjectCommand(await world.version(key))))
    const findings = await world.findings()

    if (engine !== versity) return assert.deepEqual(findings, [])
    // It holds to the default, as it refused above, and tells no date.
    assert.deepEqual(
      findings.map(({ kind, key: each }) => [kind, each]),
      [
        ['not-locked', ledgerKey(OTHER, 1)],
        ['not-locked', key],
      ],
    )
    for (const { found } of findings)
      assert.match(
        found,
        /today's default of the bucket is governance for 20 days, and either the object is older/,
      )
  })

  test('counts a message under legal hold', async () => {
    const world = await opened()
    const hold = { ...(await world.version(ONE)), LegalHold: { Status: 'ON' } as const }
    await world.admin.send(new PutObjectLegalHoldCommand(hold))

    assert.deepEqual(await world.findings(), [])
    assert.equal(world.held, 1)
  })

  test('shows an octet that changed on the disk of the store', async (t) => {
    if (engine !== versity) return t.skip('where its disk has the octets is known of Versity alone')
    const world = await opened()
    const file = join(running.folder, 'objects', world.bucket, ONE)
    assert.equal((await readFile(file)).toString(), 'one')
    await writeFile(file, 'onE')

    const findings = await world.findings()

    assert.deepEqual(
      findings.map(({ kind, key, found }) => [kind, key, found]),
      [['content-differs', ONE, `SHA-256 ${digestOf('onE')}`]],
    )
  })
}
