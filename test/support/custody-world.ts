import assert from 'node:assert/strict'
import type { Retention } from '../../shared/archive/archive.ts'
import { openMemoryCustody } from '../../shared/archive/memory-custody.ts'
import type { Order } from '../../shared/cases/case-log.ts'
import type { CaseName, MailboxId } from '../../shared/contract/ids.ts'
import { rawKey } from '../../shared/contract/object-key.ts'
import { mailboxesOf } from '../../shared/ledger/mailboxes.ts'
import { openSpool } from '../../shared/octets.ts'
import { type HoldReport, holdByQuery } from '../../shared/operations/hold.ts'
import { holdNewMail, type NewMailReport } from '../../shared/operations/hold-new-mail.ts'
import { type ReleaseReport, releaseCase } from '../../shared/operations/release.ts'
import { openInlineParser } from '../../shared/parser/inline.ts'
import type { MessageQuery } from '../../shared/query/query.ts'
import { type Crasher, openCrasher } from './crashing-ports.ts'
import { DrainWorld } from './drain-world.ts'
import { digestOf } from './stores.ts'

export const ORDER: Order = { by: 'Ada Ott, legal', reason: 'Ott v. Smith, order of the court' }
const CALM = { dryRun: false, signal: new AbortController().signal, progress: () => {} }

/** A drained mailbox with an archive in memory, and the records officer's commands over it. */
export class CustodyWorld extends DrainWorld {
  /** What the officer takes for now. */
  clock = new Date('2026-03-01T12:00:00Z')

  /** Another one with the same archive as it is now; nothing is on its server. */
  fork(): CustodyWorld {
    const fork = new CustodyWorld()
    for (const [key, versions] of this.memory.objects) fork.memory.objects.set(key, [...versions])
    fork.clock = this.clock
    return fork
  }

  /** The ports of the officer, dying where the crasher says. */
  custodyPorts(crasher: Crasher = openCrasher(undefined)) {
    const { memory, state } = this
    return {
      archive: crasher.guard('archive', memory.archive, ['uri'], ['list']),
      audit: crasher.guard('audit', memory.audit, [], ['versions']),
      custody: crasher.guard('custody', openMemoryCustody(memory.objects)),
      state: crasher.guard('state', state),
      parser: openInlineParser(),
      spool: openSpool(),
      now: () => this.clock,
      retentionOf: (): Retention | undefined => undefined,
      ownRetentionOf: (): Retention | undefined => undefined,
    }
  }

  async hold(
    name: string,
    query: MessageQuery | undefined,
    crasher?: Crasher,
    more: Partial<typeof CALM> = {},
  ): Promise<HoldReport> {
    const mailboxes = await Array.fromAsync(mailboxesOf(this.archive))
    const ports = this.custodyPorts(crasher)
    return holdByQuery(name as CaseName, query, ORDER, mailboxes, ports, { ...CALM, ...more })
  }

  holdNew(crasher?: Crasher, mailbox: MailboxId = this.mailbox.id): Promise<NewMailReport> {
    return holdNewMail(mailbox, 'hold-new-mail', this.custodyPorts(crasher))
  }

  release(name: string, crasher?: Crasher, more: Partial<typeof CALM> = {}): Promise<ReleaseReport> {
    return releaseCase(name as CaseName, ORDER, this.custodyPorts(crasher), { ...CALM, ...more })
  }

  /** Whether the store itself has a hold on the message. */
  async isHeld(octets: string): Promise<boolean> {
    const [version] = this.memory.objects.get(rawKey(this.mailbox.id, digestOf(octets))) ?? []
    assert.ok(version, 'it is in the archive')
    return version.facts.legalHold
  }
}
