import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { S3Client } from '@aws-sdk/client-s3'
import { openS3Objects } from '../../shared/consumer/s3.ts'
import { archivedEventId, type Event, MESSAGE_ARCHIVED } from '../../shared/contract/event.ts'
import { mailboxId, type Sha256 } from '../../shared/contract/ids.ts'
import { attachmentKey } from '../../shared/contract/object-key.ts'
import { makeAuthority } from '../support/certificates.ts'
import { startImapServer } from '../support/imap-server.ts'
import { mailboxSettings } from '../support/lambda-scene.ts'
import { bundleForTest, type LambdaS3, LambdaWorld } from '../support/lambda-world.ts'
import { multiline, startPop3Server } from '../support/pop3-server.ts'
import { sampleMessages } from '../support/sample-messages.ts'
import { archivedOctets, assertLedgerVerifies, digestOf, takeEvents } from '../support/stores.ts'

// What the functions do together, from the tick to the event: the bundles as Lambda runs them, on real sockets and queues, and on an S3 that is
// to be held to it.

export interface OpenedS3 extends LambdaS3 {
  close(): Promise<void>
}

const SAMPLES = sampleMessages()
const TICK_MS = 60_000
const CRLF = Buffer.from('\r\n')

export function lambdaChainContract(
  name: string,
  openS3: () => Promise<OpenedS3>,
  /** @default the local queue server */
  openSqs?: () => Promise<{ readonly endpoint: string; stop(): Promise<void> }>,
): void {
  describe(`from the tick to the event, on ${name}`, () => {
    let s3: OpenedS3
    let bundled: Awaited<ReturnType<typeof bundleForTest>>
    let world: LambdaWorld
    let sqs: Awaited<ReturnType<NonNullable<typeof openSqs>>> | undefined
    let ticks = 0
    before(async () => {
      s3 = await openS3()
      sqs = await openSqs?.()
      bundled = await bundleForTest()
      const parameters = { '/mailsluice/test': 'testpass' }
      world = await LambdaWorld.open({ s3, bundles: bundled.bundles, parameters, sqsEndpoint: sqs?.endpoint })
    })
    after(async () => {
      await world.close()
      bundled.remove()
      await sqs?.stop()
      await s3.close()
    })

    const tick = () => world.tick(new Date(Date.UTC(2026, 2, 1) + ticks++ * TICK_MS))
    const drainsOf = (id: string) => world.drains.filter(({ mailbox }) => mailbox === id)

    /** Everything that was served is archived as it was, announced once for each content, and recorded. */
    async function assertIngested(
      id: string,
      octets: readonly Buffer[],
      events: readonly Event[],
    ): Promise<void> {
      const mailbox = mailboxId(id)
      for (const each of octets)
        assert.ok((await archivedOctets(mailbox, digestOf(each), world.archive)).equals(each))
      assert.deepEqual(
        events
          .filter((event) => 'mailbox' in event.data && event.data.mailbox.id === id)
          .map((event) => event.id)
          .sort(),
        [...new Set(octets.map((each) => archivedEventId(mailbox, digestOf(each))))].sort(),
      )
      await assertLedgerVerifies(mailbox, world.archive)
    }

    test('what a tick finds behind a private CA and in a maildrop is archived octet by octet and announced once', async () => {
      const authority = makeAuthority()
      const { keyPem, certPem } = authority.issue({ names: ['localhost'] })
      const imap = await startImapServer({
        messages: SAMPLES.map(({ octets }) => ({ raw: octets })),
        tls: { mode: 'implicit', keyPem, certPem },
      })
      const pop3 = await startPop3Server({
        messages: SAMPLES.map(({ name: uidl, octets }) => ({ uidl, octets })),
      })
      try {
        await world.apply(
          [
            mailboxSettings('orders', imap.port, { host: 'localhost', tls: 'implicit', ca: './ca.pem' }),
            mailboxSettings('invoices', pop3.port, { protocol: 'pop3', afterArchive: 'delete' }),
          ],
          { authorities: { './ca.pem': authority.caPem } },
        )

        const deliveries = await tick()

        assert.ok(deliveries.every(({ invocation, left }) => invocation.ok && left.length === 0))
        const events = await takeEvents(world.queues)
        const octets = SAMPLES.map((sample) => sample.octets)
        await assertIngested('orders', octets, events)
        await assertIngested('invoices', octets.map(overPop3), events)
        assert.equal(pop3.maildrop.length, 0)
        assert.equal(imap.messages('INBOX').length, SAMPLES.length)
      } finally {
        await imap.close()
        await pop3.close()
      }
    })

    test('an attachment that a route extracts lies in the derived bucket when its event names it, and no other does', async () => {
      const letters = ['invoice', 'forwarded'].map(
        (wanted) => SAMPLES.find(({ name }) => name === wanted)?.octets as Buffer,
      )
      const imap = await startImapServer({ messages: letters.map((raw) => ({ raw })) })
      const client = new S3Client({ ...s3, forcePathStyle: true })
      try {
        await world.apply([mailboxSettings('extracted', imap.port)], {
          routes: [{ queue: 'invoices', when: { subject: '*' }, extract: ['application/pdf'] }],
        })

        await tick()

        const told = (await takeEvents(world.queues, 'invoices')).flatMap((event) => {
          assert.ok(event.type === MESSAGE_ARCHIVED)
          return event.data.attachments.map((attachment) => ({ data: event.data, attachment }))
        })
        const extracted = told.filter(({ attachment }) => attachment.contentType === 'application/pdf')
        assert.ok(extracted.length > 0 && extracted.length < told.length)
        for (const { attachment } of told) {
          const key = attachmentKey(mailboxId('extracted'), attachment.sha256 as Sha256)
          const wanted = attachment.contentType === 'application/pdf'
          assert.equal(attachment.uri, wanted ? `s3://${s3.derivedBucket}/${key}` : undefined)
        }
        for (const { attachment } of extracted) {
          const stored = await openS3Objects(client)({ uri: attachment.uri as string })
          const octets = Buffer.concat(await stored.toArray())
          assert.deepEqual([octets.length, digestOf(octets)], [attachment.octets, attachment.sha256])
        }
      } finally {
        client.destroy()
        await imap.close()
      }
    })

    test('messages are parsed by the worker that the bundle brings, attachments and all', async () => {
      const invoice = SAMPLES.find(({ name }) => name === 'invoice')?.octets as Buffer
      const imap = await startImapServer({ messages: [{ raw: invoice }] })
      try {
        await world.apply([mailboxSettings('parsed', imap.port)], {
          routes: [{ queue: 'invoices', when: { attachment: 'application/pdf' } }],
        })

        await tick()

        const [event] = await takeEvents(world.queues, 'invoices')
        assert.ok(event?.type === 'mailsluice.message.archived.v1')
        assert.equal(event.data.parse.status, 'parsed')
        assert.ok(event.data.attachments.some(({ contentType }) => contentType === 'application/pdf'))
      } finally {
        await imap.close()
      }
    })

    test('an idle mailbox makes no drain, and new mail is drained at the next tick, within the minutes in which FIFO remembers ids', async () => {
      const [first, second] = SAMPLES.map(({ octets }) => octets) as [Buffer, Buffer]
      const imap = await startImapServer({ messages: [{ raw: first }] })
      try {
        await world.apply([mailboxSettings('idle', imap.port)])
        await tick()
        const commands = imap.received.length

        await tick()
        assert.equal(drainsOf('idle').length, 1)
        const verbs = imap.received.slice(commands).map((line) => line.split(' ')[1])
        assert.ok(verbs.includes('STATUS'), verbs.join(' '))
        assert.ok(!verbs.some((verb) => ['SELECT', 'EXAMINE', 'FETCH', 'UID'].includes(verb ?? '')))

        imap.append('INBOX', { raw: second })
        await tick()
        assert.equal(drainsOf('idle').length, 2)
        await assertIngested('idle', [first, second], await takeEvents(world.queues))
      } finally {
        await imap.close()
      }
    })

    test('a drain that runs out of time asks for its continuation until everything is drained', async () => {
      const octets = Array.from({ length: 40 }, (_, index) =>
        Buffer.from(`From: a@example.com\r\nSubject: ${index}\r\n\r\nHello.\r\n`),
      )
      const messages = octets.map((each, index) => ({ uidl: `${index}`, octets: each }))
      const pop3 = await startPop3Server({
        messages,
        // One at a time, and slowly.
        capabilities: ['TOP', 'UIDL', 'USER', 'SASL PLAIN'],
        answer(line, { write }) {
          const [, number] = /^RETR (\d+)$/.exec(line) ?? []
          if (number === undefined) return undefined
          setTimeout(() => write(multiline(octets[Number(number) - 1] as Buffer)), 150)
          return ''
        },
      })
      try {
        await world.apply([mailboxSettings('slow', pop3.port, { protocol: 'pop3' })])

        // Six seconds of mail, in slices of some 2.5.
        await tick17(world, tick)

        const drains = drainsOf('slow')
        assert.ok(drains.length >= 3, `${drains.length} drains`)
        assert.deepEqual(
          drains.map(({ reason, stopped }) => [reason, stopped]),
          drains.map((_, index) => [
            index === 0 ? 'probe' : 'continuation',
            index === drains.length - 1 ? undefined : 'deadline',
          ]),
        )
        await assertIngested('slow', octets, await takeEvents(world.queues))
      } finally {
        await pop3.close()
      }
    })
  })
}

/** A message always ends with CRLF there (RFC 1939, 3). */
function overPop3(octets: Buffer): Buffer {
  return octets.subarray(-2).equals(CRLF) ? octets : Buffer.concat([octets, CRLF])
}

/** A tick whose drains have 17.5 s, of which 15 are kept for their end. */
async function tick17(world: LambdaWorld, tick: () => Promise<unknown>): Promise<void> {
  world.drainTimeoutMs = 17_500
  try {
    await tick()
  } finally {
    world.drainTimeoutMs = undefined
  }
}
