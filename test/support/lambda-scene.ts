import assert from 'node:assert/strict'
import { mailboxId } from '../../shared/contract/ids.ts'
import { encodeDrainRequest } from '../../shared/contract/messages.ts'
import { type ImapServer, startImapServer } from './imap-server.ts'
import type { Delivery } from './lambda-queue.ts'
import { bundleForTest, LambdaWorld } from './lambda-world.ts'
import { openScriptedBuckets } from './scripted-buckets.ts'
import type { Fault, ScriptedRequest } from './scripted-s3.ts'
import { archivedOctets, assertLedgerVerifies, digestOf } from './stores.ts'

/** The password of every mail server here. */
export const SECRET = 'hunter2-of-the-mailbox'

export const MESSAGES: readonly Buffer[] = Array.from({ length: 12 }, (_, index) =>
  Buffer.from(`From: a@example.com\r\nSubject: ${index}\r\n\r\nHello.\r\n`),
)

/** The deployed functions on a scripted S3, and the few things that tests of what goes wrong do with them. */
export class LambdaScene {
  readonly world: LambdaWorld
  /** Asked for each request to S3. */
  fault: (request: ScriptedRequest) => Fault | undefined = () => undefined
  readonly #close: () => Promise<void>
  #ticks = 0
  #requests = 0

  private constructor(world: LambdaWorld, close: () => Promise<void>) {
    this.world = world
    this.#close = close
  }

  static async open(): Promise<LambdaScene> {
    let scene: LambdaScene | undefined
    const s3 = await openScriptedBuckets((request) => scene?.fault(request))
    const { bundles, remove } = await bundleForTest()
    const parameters = { '/mailsluice/test': SECRET, '/mailsluice/wrong': 'wrong-password' }
    const world = await LambdaWorld.open({ s3, bundles, parameters })
    scene = new LambdaScene(world, async () => {
      await world.close()
      await s3.close()
      remove()
    })
    return scene
  }

  /** Applies a configuration without mailboxes that a test asks for. */
  async applyNone(): Promise<void> {
    await this.world.apply([mailboxSettings('nobody', 1)])
  }

  tick(): Promise<readonly Delivery[]> {
    return this.world.tick(new Date(Date.UTC(2026, 2, 1) + this.#ticks++ * 60_000))
  }

  /** An operator asks for a drain. */
  async request(
    id: string,
    body: string = encodeDrainRequest({ v: 1, mailbox: mailboxId(id), reason: 'operator' }),
  ): Promise<void> {
    await this.world.drainRequests.send(body, id, `operator-${this.#requests++}`)
  }

  /** Hands the next request to a drain. */
  async deliver(): Promise<Delivery> {
    const delivery = await this.world.deliverDrain()
    assert.ok(delivery, 'no request is there')
    return delivery
  }

  /** Hands the next request to a drain that deals with it. */
  async deliverWell(): Promise<void> {
    assertDone(await this.deliver())
  }

  /** The wide lines about drains of a mailbox. */
  drainsOf(id: string): readonly Readonly<Record<string, unknown>>[] {
    return this.world.drains.filter(({ mailbox }) => mailbox === id)
  }

  async assertIngested(id: string, octets: readonly Buffer[] = MESSAGES): Promise<void> {
    const { archive } = this.world
    for (const each of octets)
      assert.ok((await archivedOctets(mailboxId(id), digestOf(each), archive)).equals(each))
    await assertLedgerVerifies(mailboxId(id), archive)
  }

  close(): Promise<void> {
    return this.#close()
  }
}

export function assertDone(...deliveries: readonly Delivery[]): void {
  for (const { invocation, left } of deliveries) {
    assert.ok(invocation.ok, JSON.stringify(invocation))
    assert.deepEqual(left, [])
  }
}

/** A mailbox on this machine that is due at every tick. */
export function mailboxSettings(id: string, port: number, more: object = {}): object {
  return {
    id,
    protocol: 'imap',
    host: '127.0.0.1',
    port,
    tls: 'none',
    user: 'testuser',
    credential: 'ssm:/mailsluice/test',
    every: '1m',
    ...more,
  }
}

/** Runs with an IMAP server that has MESSAGES. */
export async function withImap(work: (imap: ImapServer) => Promise<void>): Promise<void> {
  const imap = await startImapServer({ password: SECRET, messages: MESSAGES.map((raw) => ({ raw })) })
  try {
    await work(imap)
  } finally {
    await imap.close()
  }
}

export function logIns({ received }: ImapServer): number {
  return received.filter((line) => / (LOGIN|AUTHENTICATE)\b/i.test(line)).length
}

/** The code of the error that a log line tells. */
export function codeOf(line: Readonly<Record<string, unknown>> | undefined): string | undefined {
  return (line?.error as { readonly code?: string } | undefined)?.code
}
