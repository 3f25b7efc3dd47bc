import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type MailboxId, mailboxId, type Sha256, sha256 } from '../../shared/contract/ids.ts'
import {
  ledgerKey,
  ledgerPrefix,
  MAX_SEQ,
  parseLedgerKey,
  parseRawKey,
  rawKey,
  rawPrefix,
  snapshotKey,
} from '../../shared/contract/object-key.ts'

const MAILBOX = mailboxId('invoices')
const DIGEST = sha256('c0ffee00'.repeat(8))

const mailboxes: fc.Arbitrary<MailboxId> = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,62}$/).map(mailboxId)
const digests: fc.Arbitrary<Sha256> = fc.stringMatching(/^[0-9a-f]{64}$/).map(sha256)
const numbers = fc.integer({ min: 1, max: MAX_SEQ })

describe('the key of a message', () => {
  test('is raw/<mailbox>/<first two digits>/<SHA-256>.eml', () => {
    assert.equal(rawKey(MAILBOX, DIGEST), `raw/invoices/c0/${DIGEST}.eml`)
  })

  test('tells mailbox and digest again, and begins with the prefix of its mailbox', () => {
    fc.assert(
      fc.property(mailboxes, digests, (mailbox, digest) => {
        const key = rawKey(mailbox, digest)
        assert.deepEqual(parseRawKey(key), { mailbox, sha256: digest })
        assert.ok(key.startsWith(rawPrefix(mailbox)))
        assert.equal(parseLedgerKey(key), undefined)
      }),
    )
  })

  for (const [what, key] of Object.entries({
    'with a digest in the wrong folder': `raw/invoices/c1/${DIGEST}.eml`,
    'with a digest that is too short': `raw/invoices/c0/${DIGEST.slice(1)}.eml`,
    'in upper case': `raw/invoices/C0/${DIGEST.toUpperCase()}.eml`,
    'with another ending': `raw/invoices/c0/${DIGEST}.txt`,
    'with more behind it': `raw/invoices/c0/${DIGEST}.eml/x`,
    'with a line end behind it': `raw/invoices/c0/${DIGEST}.eml\n`,
    'with more before it': `/raw/invoices/c0/${DIGEST}.eml`,
    'of no mailbox': `raw//c0/${DIGEST}.eml`,
    'of a mailbox that could not be': `raw/-x/c0/${DIGEST}.eml`,
    'of the ledger': 'ledger/invoices/0000000001.ndjson',
    'that is empty': '',
  }))
    test(`is not one ${what}`, () => {
      assert.equal(parseRawKey(key), undefined)
    })

  test('of one mailbox never begins with the prefix of another', () => {
    assert.equal(rawKey(mailboxId('invoices-2'), DIGEST).startsWith(rawPrefix(MAILBOX)), false)
    assert.equal(ledgerKey(mailboxId('invoices-2'), 1).startsWith(ledgerPrefix(MAILBOX)), false)
  })
})

describe('the key of a segment', () => {
  test('is ledger/<mailbox>/<ten digits>.ndjson', () => {
    assert.equal(ledgerKey(MAILBOX, 7), 'ledger/invoices/0000000007.ndjson')
    assert.equal(ledgerKey(MAILBOX, MAX_SEQ), 'ledger/invoices/9999999999.ndjson')
  })

  test('tells mailbox and number again, and begins with the prefix of its mailbox', () => {
    fc.assert(
      fc.property(mailboxes, numbers, (mailbox, seq) => {
        const key = ledgerKey(mailbox, seq)
        assert.deepEqual(parseLedgerKey(key), { mailbox, seq })
        assert.ok(key.startsWith(ledgerPrefix(mailbox)))
        assert.equal(parseRawKey(key), undefined)
      }),
    )
  })

  test('lists in the order of the numbers', () => {
    fc.assert(
      fc.property(numbers, numbers, (a, b) => {
        const order = Buffer.compare(Buffer.from(ledgerKey(MAILBOX, a)), Buffer.from(ledgerKey(MAILBOX, b)))
        assert.equal(order, Math.sign(a - b))
      }),
    )
  })

  for (const seq of [0, -1, 1.5, MAX_SEQ + 1, Number.NaN, Infinity])
    test(`has no number ${seq}`, () => {
      assert.throws(() => ledgerKey(MAILBOX, seq), RangeError)
    })

  for (const key of [
    'ledger/invoices/0000000000.ndjson',
    'ledger/invoices/1.ndjson',
    'ledger/invoices/00000000001.ndjson',
    'ledger/invoices/0000000001.json',
    'ledger/invoices/0000000001.ndjson\n',
    'ledger/Invoices/0000000001.ndjson',
    'ledger/a/b/0000000001.ndjson',
    'raw/invoices/0000000001.ndjson',
    'ledger/invoices/０000000001.ndjson',
  ])
    test(`is not ${JSON.stringify(key)}`, () => {
      assert.equal(parseLedgerKey(key), undefined)
    })
})

test('the snapshot of a mailbox has a key of its own', () => {
  assert.equal(snapshotKey(MAILBOX), 'snapshots/invoices.json')
})
