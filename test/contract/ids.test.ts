import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  type DrainId,
  type Epoch,
  type MailboxId,
  mailboxId,
  type ObjectKey,
  type Sha256,
  sha256,
  type Uid,
  type Uidl,
  uid,
} from '../../shared/contract/ids.ts'
import { rawKey } from '../../shared/contract/object-key.ts'

const DIGEST = 'ab'.repeat(32)

describe('a mailbox id', () => {
  for (const id of ['a', '0', 'invoices', 'a-', '9-lives', 'x'.repeat(63)])
    test(`may be ${JSON.stringify(id.slice(0, 12))}`, () => {
      assert.equal(mailboxId(id), id)
    })

  for (const id of [
    '',
    '-a',
    'A',
    'a_b',
    'a.b',
    'a/b',
    '..',
    'a b',
    'ä',
    'a\n',
    '\na',
    'a\0',
    'ı',
    'x'.repeat(64),
  ])
    test(`may not be ${JSON.stringify(id.slice(0, 12))}`, () => {
      assert.throws(() => mailboxId(id), TypeError)
    })
})

describe('a SHA-256', () => {
  test('is 64 lower-case hex digits', () => {
    assert.equal(sha256(DIGEST), DIGEST)
  })

  for (const value of [
    '',
    DIGEST.slice(1),
    `${DIGEST}a`,
    DIGEST.toUpperCase(),
    `${DIGEST}\n`,
    `g${DIGEST.slice(1)}`,
  ])
    test(`is not ${JSON.stringify(`${value.slice(0, 4)}…${value.slice(-4)}`)}`, () => {
      assert.throws(() => sha256(value), TypeError)
    })
})

describe('a UID', () => {
  test('is any number from 1 to 2^32-1 (RFC 9051, 9: nz-number)', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 0xffff_ffff }), (value) => uid(value) === value))
    assert.equal(uid(1), 1)
    assert.equal(uid(0xffff_ffff), 0xffff_ffff)
  })

  for (const value of [0, -1, 1.5, 0x1_0000_0000, Number.NaN, Infinity])
    test(`is not ${value}`, () => {
      assert.throws(() => uid(value), TypeError)
    })
})

test('ids cannot be swapped for each other, nor made of bare text', () => {
  const mailbox = mailboxId('invoices')
  const digest = sha256(DIGEST)
  assert.match(rawKey(mailbox, digest), /^raw\/invoices\//)

  // Never run: the compiler has to refuse each line.
  const refused = (): unknown[] => {
    // @ts-expect-error a mailbox and a digest in each other's place
    const swapped = rawKey(digest, mailbox)
    // @ts-expect-error bare text
    const bare = rawKey('invoices', DIGEST)
    // @ts-expect-error a UID is no sequence number, nor any other number
    const number: Uid = 7
    // @ts-expect-error a UIDL is no epoch
    const epoch: Epoch = 'abc' as Uidl
    // @ts-expect-error a drain is no mailbox
    const drain: DrainId = mailbox
    // @ts-expect-error a key is built in object-key.ts alone
    const key: ObjectKey = 'raw/invoices/x'
    // @ts-expect-error a key is no digest
    const keyed: Sha256 = rawKey(mailbox, digest)
    // @ts-expect-error nor is it a mailbox
    const placed: MailboxId = rawKey(mailbox, digest)
    return [swapped, bare, number, epoch, drain, key, keyed, placed]
  }
  assert.equal(typeof refused, 'function')
})
