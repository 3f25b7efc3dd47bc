import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { FUNCTIONS, type FunctionName } from '../../shared/contract/functions.ts'
import { mailboxId } from '../../shared/contract/ids.ts'
import { ledgerKey } from '../../shared/contract/object-key.ts'
import { openLedger } from '../../shared/ledger/ledger.ts'
import { mailboxesOf } from '../../shared/ledger/mailboxes.ts'
import { ASKED, METRICS_WRITTEN } from '../../shared/operations/cost.ts'
import { LambdaScene, MESSAGES, mailboxSettings, withImap } from '../support/lambda-scene.ts'
import { without } from '../support/programs.ts'
import { draftOf, messageEntry } from '../support/segments.ts'

// What `mailsluice cost` reckons with is what the functions ask for: counted at the bundles, as Lambda runs them.

interface Asked {
  readonly gets: number
  readonly puts: number
  readonly lists: number
  readonly sqs: number
  readonly logOctets: number
}

describe('the cost is reckoned with', () => {
  const NAMES = Object.keys(FUNCTIONS) as FunctionName[]
  let scene: LambdaScene
  before(async () => {
    scene = await LambdaScene.open()
  })
  after(() => scene.close())

  /** All that is asked of AWS while `work` is done; what stands for Lambda's poller receives too, and is not counted but by what it deletes. */
  async function during(work: () => Promise<unknown>): Promise<Asked> {
    const operations: string[] = []
    scene.fault = ({ operation }) => {
      operations.push(operation)
      return undefined
    }
    const logOctets = (): number =>
      NAMES.flatMap((name) => scene.world.functions[name].lines).join('\n').length
    const [lines, requests] = [logOctets(), scene.world.sqs.requests.length]
    await work()
    scene.fault = () => undefined
    const count = (pattern: RegExp): number => operations.filter((each) => pattern.test(each)).length
    const sqs = scene.world.sqs.requests.slice(requests).map(({ action }) => action)
    const deleted = sqs.filter((action) => action === 'DeleteMessage').length
    return {
      gets: count(/^(Get|Head)/),
      puts: count(/^Put/),
      lists: count(/^List/),
      // What is deleted was received.
      sqs: sqs.filter((action) => action !== 'ReceiveMessage').length + deleted,
      logOctets: logOctets() - lines,
    }
  }

  test('the requests of a tick, of a group of probes and of each look, in a mailbox without news', async () => {
    await withImap(async (imap) => {
      const ids = ['a', 'b', 'c'] as const
      await scene.world.apply(ids.map((id) => mailboxSettings(id, imap.port)))
      await scene.tick()

      const asked = await during(() => scene.tick())

      const { tick, probe, look } = ASKED
      assert.equal(asked.gets, tick.gets + probe.gets + ids.length * look.gets)
      assert.equal(asked.lists, ids.length * look.lists)
      assert.equal(asked.puts, 0)
      // No drain was asked for.
      assert.equal(asked.sqs, tick.sqs + probe.sqs - 1)
      const reckoned = tick.logOctets + probe.logOctets + ids.length * look.logOctets
      assert.ok(asked.logOctets <= reckoned, `${asked.logOctets} octets of log, reckoned with ${reckoned}`)
    })
  })

  test('the requests of a drain, and one PUT for each message', async () => {
    await withImap(async (imap) => {
      await scene.world.apply([mailboxSettings('drained', imap.port)])
      await scene.request('drained')
      await scene.deliverWell()
      imap.append('INBOX', { raw: Buffer.from('Subject: new\r\n\r\nHello.\r\n') })
      await scene.request('drained')

      const asked = await during(() => scene.deliverWell())

      const { drain } = ASKED
      assert.deepEqual(
        { gets: asked.gets, puts: asked.puts, lists: asked.lists },
        { gets: drain.gets, puts: drain.puts + 1, lists: drain.lists },
      )
      // Received, deleted, and the events of its messages.
      assert.equal(asked.sqs, drain.sqs)
      assert.ok(asked.logOctets <= drain.logOctets, `${asked.logOctets} octets of log`)
    })
  })

  test('the requests of comparing a segment with cases, of which none is open', async () => {
    const { functions } = scene.world
    const key = ledgerKey(mailboxId('drained'), 2)
    const body = JSON.stringify({ detail: { bucket: { name: 'mail-archive' }, object: { key } } })
    const attributes = { ApproximateReceiveCount: '1', SentTimestamp: '0' }
    const record = { messageId: 'm', receiptHandle: 'r', body, attributes }

    const asked = await during(async () => {
      const invocation = await functions['hold-new-mail'].invoke({ Records: [record] })
      assert.ok(invocation.ok, JSON.stringify(invocation))
    })

    const { hold } = ASKED
    assert.deepEqual(
      { gets: asked.gets, puts: asked.puts, lists: asked.lists },
      { gets: hold.gets, puts: hold.puts, lists: hold.lists },
    )
    assert.ok(asked.logOctets <= hold.logOctets, `${asked.logOctets} octets of log`)
  })

  // The key service here signs by openssl.
  const unsigned = { skip: without('openssl') }
  test(
    'the requests of a seal, of each ledger that is looked at for it, and one GET for each new segment',
    unsigned,
    async () => {
      const { functions, archive } = scene.world
      const append = async (id: string): Promise<void> => {
        const ledger = await openLedger(mailboxId(id), { archive, state: undefined })
        await ledger.commit(draftOf([messageEntry(`${id} ${ledger.nextSeq}`)]), undefined)
      }
      const sealed = async (): Promise<void> => {
        const invocation = await functions['seal-ledgers'].invoke({})
        assert.ok(invocation.ok, JSON.stringify(invocation))
      }
      await append('sealed')
      await sealed()
      for (let segment = 0; segment < 2; segment++) await append('sealed')
      const ledgers = (await Array.fromAsync(mailboxesOf(archive))).length

      const asked = await during(sealed)

      const { seal, ledgerToSeal } = ASKED
      assert.deepEqual(
        { gets: asked.gets, puts: asked.puts, lists: asked.lists },
        {
          gets: seal.gets + ledgers * ledgerToSeal.gets + 2,
          puts: seal.puts,
          lists: seal.lists + ledgers * ledgerToSeal.lists,
        },
      )
      assert.ok(asked.logOctets <= seal.logOctets, `${asked.logOctets} octets of log`)
    },
  )

  test('about as many metrics as the functions write when all is well', async () => {
    assert.ok(MESSAGES.length > 0)
    const names = NAMES.flatMap((name) =>
      scene.world.functions[name].records.flatMap((record) => {
        const { CloudWatchMetrics = [] } = (record._aws ?? {}) as {
          CloudWatchMetrics?: { Dimensions: string[][]; Metrics: { Name: string }[] }[]
        }
        return CloudWatchMetrics.filter(({ Dimensions }) => !Dimensions.flat().includes('mailbox')).flatMap(
          ({ Metrics }) => Metrics.map(({ Name }) => `${name} ${Name}`),
        )
      }),
    )
    const written = new Set(names).size
    // One more or less is 0.30 USD a month.
    assert.ok(Math.abs(written - METRICS_WRITTEN) <= 3, `${written} metrics`)
  })
})
