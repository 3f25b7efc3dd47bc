import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { readEvidence } from '../../shared/authentication/evidence.ts'
import { type DrainId, mailboxId } from '../../shared/contract/ids.ts'
import { ledgerKey, rawKey } from '../../shared/contract/object-key.ts'
import { openLedger } from '../../shared/ledger/ledger.ts'
import { memoryOctets } from '../../shared/octets.ts'
import { DnsServer } from '../support/dns-server.ts'
import { LambdaScene, mailboxSettings } from '../support/lambda-scene.ts'
import { digestOf, draftOf, messageEntry } from '../support/segments.ts'
import { dkimKey, MESSAGE, signed, taken } from '../support/signed-mail.ts'
import { takeEvents } from '../support/stores.ts'

const DENIED = { status: 403, code: 'AccessDenied' }

describe('verify-authentication, as Lambda runs it', () => {
  const key = dkimKey()
  let scene: LambdaScene
  let dns: DnsServer
  before(async () => {
    scene = await LambdaScene.open()
    dns = await DnsServer.open()
  })
  after(async () => {
    await scene.close()
    await dns[Symbol.asyncDispose]()
  })
  beforeEach(() => {
    scene.fault = () => undefined
    dns.set({
      'one._domainkey.sender.example TXT': [key.record],
      'sender.example TXT': ['v=spf1 ip4:192.0.2.0/24 -all'],
      '_dmarc.sender.example TXT': ['v=DMARC1; p=reject'],
    })
  })

  /** A drained mailbox: its message, and what S3 tells of its segment. */
  async function arrived(id: string, authentication: object | false = { queue: 'invoices' }) {
    const mailbox = mailboxId(id)
    const { archive } = scene.world
    const more = authentication ? { receivedBy: 'mx.receiver.example' } : {}
    await scene.world.apply(
      [mailboxSettings(id, 1, more)],
      authentication ? { authentication: { dnsServers: [dns.address], ...authentication } } : {},
    )
    const message = taken(await signed(MESSAGE.replace('42', id), { key }))
    const writtenFor = { seq: 1, drain: 'drain-1' as DrainId }
    await archive.put(rawKey(mailbox, digestOf(message)), memoryOctets(Buffer.from(message)), {
      contentType: 'message/rfc822',
      writtenFor,
    })
    const ledger = await openLedger(mailbox, { archive, state: undefined })
    await ledger.commit(draftOf([messageEntry(message)], { closedAt: new Date() }), undefined)
    const body = JSON.stringify({
      detail: { bucket: { name: 'b' }, object: { key: ledgerKey(mailbox, 1) } },
    })
    return {
      evidence: () => readEvidence(mailbox, digestOf(message), archive),
      told: () =>
        scene.world.functions['verify-authentication'].invoke({
          Records: [{ messageId: id, receiptHandle: 'r', body, attributes: {} }],
        }),
    }
  }

  const left = (id: string) => ({ batchItemFailures: [{ itemIdentifier: id }] })
  const NONE = { batchItemFailures: [] }

  test('keeps and announces what it finds of a new segment', async () => {
    const { told, evidence } = await arrived('new')

    const invocation = await told()

    assert.ok(invocation.ok, JSON.stringify(invocation))
    assert.deepEqual(invocation.result, NONE)
    assert.equal((await evidence())?.header.dmarc.result, 'pass')
    const [event, ...more] = await takeEvents(scene.world.queues, 'invoices')
    assert.equal(event?.type, 'mailsluice.message.authenticated.v1')
    assert.deepEqual(more, [])
  })

  test('asks for the segment again while DNS does not answer, and by then finds it', async () => {
    const { told, evidence } = await arrived('slow')
    dns.set({ '_dmarc.sender.example TXT': 'servfail' })

    const first = await told()
    assert.ok(first.ok)
    assert.deepEqual(first.result, left('slow'))
    assert.equal(await evidence(), undefined)

    dns.set({ '_dmarc.sender.example TXT': ['v=DMARC1; p=none'] })
    const second = await told()
    assert.ok(second.ok)
    assert.deepEqual(second.result, NONE)
    assert.equal((await evidence())?.header.dmarc.policy, 'none')
  })

  test('asks for it again when the archive refuses, and says which mailbox', async () => {
    const { told, evidence } = await arrived('denied')
    scene.fault = ({ operation }) => (operation === 'PutObject' ? DENIED : undefined)

    const invocation = await told()

    scene.fault = () => undefined
    assert.ok(invocation.ok, JSON.stringify(invocation))
    assert.deepEqual(invocation.result, left('denied'))
    assert.equal(await evidence(), undefined)
    const line = scene.world.functions['verify-authentication'].records.find(
      ({ mailbox, code }) => mailbox === 'denied' && code !== undefined,
    )
    assert.equal(line?.code, 'ARCHIVE_DENIED')
  })

  test('does nothing once it is switched off, and for what is no segment', async () => {
    const { told, evidence } = await arrived('off', false)
    dns.asked.length = 0

    const invocation = await told()

    assert.ok(invocation.ok)
    assert.deepEqual(invocation.result, NONE)
    assert.equal(await evidence(), undefined)
    assert.deepEqual(dns.asked, [])
  })
})
