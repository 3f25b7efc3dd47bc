import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Dns } from '../../shared/authentication/dns.ts'
import { verifyMessage } from '../../shared/authentication/verify-message.ts'
import { verificationSchema } from '../../shared/contract/authentication.ts'
import { QUEUE } from '../../shared/limits.ts'
import { corpus, corpusMissing } from '../support/corpus.ts'

// Real messages, most of them odd, without a network: every name is missing, or nothing answers.

const FAILURES = ['ENOTFOUND', 'ETIMEOUT'] as const

for (const failure of FAILURES)
  test(`every message of the corpus has a result when DNS says ${failure}, the same each time`, {
    skip: corpusMissing(),
  }, async () => {
    const dns: Dns = { servers: [], resolve: async () => ({ failure }) }
    const options = { receivedBy: '*', dns, at: new Date('2026-11-30T12:00:00Z') }
    let signatures = 0
    let senders = 0
    for (const { name, octets } of corpus()) {
      const pieces = async function* (): AsyncGenerator<Buffer> {
        for (let at = 0; at < octets.length; at += 777) yield octets.subarray(at, at + 777)
      }
      const { verification } = await verifyMessage(pieces(), options)
      assert.deepEqual(verificationSchema.parse(verification), verification, name)
      assert.ok(JSON.stringify(verification).length < QUEUE.eventOctets / 6, name)
      for (const { result } of verification.dkim) assert.notEqual(result, 'pass', name)
      assert.notEqual(verification.dmarc.result, 'pass', name)
      signatures += verification.dkim.filter(({ result }) => result !== 'none').length
      if (verification.spf.clientAddress !== undefined) senders++
      const again = await verifyMessage(pieces(), options)
      assert.deepEqual(again.verification, verification, name)
    }
    assert.ok(signatures > 20, `${signatures} signatures`)
    assert.ok(senders > 20, `${senders} senders`)
  })
