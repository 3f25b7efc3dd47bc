import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { parseSqsAddress, type SqsAddress } from '../../shared/contract/queue-address.ts'

const UNKNOWN = { fifo: false, url: undefined, account: undefined, region: undefined, endpoint: undefined }

describe('the address of a queue', () => {
  const table: [text: string, expected: Partial<SqsAddress>][] = [
    ['mail-events', { name: 'mail-events' }],
    ['Mail_1.fifo', { name: 'Mail_1.fifo', fifo: true }],
    ['x'.repeat(80), { name: 'x'.repeat(80) }],
    [`${'x'.repeat(75)}.fifo`, { name: `${'x'.repeat(75)}.fifo`, fifo: true }],
    [
      'arn:aws:sqs:eu-central-1:123456789012:mail',
      { name: 'mail', account: '123456789012', region: 'eu-central-1' },
    ],
    [
      'arn:aws-us-gov:sqs:us-gov-west-1:123456789012:mail.fifo',
      { name: 'mail.fifo', fifo: true, account: '123456789012', region: 'us-gov-west-1' },
    ],
    ...urls('eu-west-1', undefined, [
      'https://sqs.eu-west-1.amazonaws.com',
      'https://sqs-fips.eu-west-1.amazonaws.com',
      'https://eu-west-1.queue.amazonaws.com',
      'https://sqs.eu-west-1.api.aws',
    ]),
    ...urls('cn-north-1', undefined, ['https://sqs.cn-north-1.amazonaws.com.cn']),
    // What is no public endpoint of AWS is taken at its word.
    ...urls('eu-west-1', 'same', ['https://vpce-0a1b-2c3d.sqs.eu-west-1.vpce.amazonaws.com']),
    ...urls('eusc-de-east-1', 'same', ['https://sqs.eusc-de-east-1.amazonaws.eu']),
    ...urls('us-east-1', 'same', ['http://sqs.us-east-1.localhost.localstack.cloud:4566']),
    ...urls(undefined, 'same', ['http://127.0.0.1:9324', 'http://localhost:9324', 'https://sqs.example']),
    ...urls(undefined, 'same', ['https://sqs.eu-west-1.amazonaws.com.evil.example:8443']).map(
      ([text, expected]): [string, Partial<SqsAddress>] => [text, { ...expected, region: 'eu-west-1' }],
    ),
  ]
  for (const [text, expected] of table)
    test(`is understood: ${text.slice(0, 70)}`, () => {
      assert.deepEqual(parseSqsAddress(text), { ...UNKNOWN, ...expected })
    })

  for (const text of [
    '',
    'a b',
    'a.b',
    'queue.fif',
    '.fifo',
    'x'.repeat(81),
    `${'x'.repeat(76)}.fifo`,
    'mail\n',
    'arn:aws:sqs:eu-central-1:123:mail',
    'arn:aws:sns:eu-central-1:123456789012:mail',
    `arn:aws:sqs:eu-central-1:123456789012:${'x'.repeat(81)}`,
    'https://sqs.eu-west-1.amazonaws.com/',
    'https://sqs.eu-west-1.amazonaws.com/mail',
    'https://sqs.eu-west-1.amazonaws.com/123456789012/a b',
    'https://',
    'ftp://127.0.0.1/123456789012/mail',
  ])
    test(`is not ${JSON.stringify(text.slice(0, 60))}`, () => {
      assert.equal(parseSqsAddress(text), undefined)
    })

  test('is understood or not, and never fails', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.webUrl()), (text) => void parseSqsAddress(text)))
  })
})

/** Of one queue at several hosts. */
function urls(
  region: string | undefined,
  endpoint: 'same' | undefined,
  origins: readonly string[],
): [string, Partial<SqsAddress>][] {
  return origins.map((origin) => {
    const url = `${origin}/123456789012/mail`
    return [url, { name: 'mail', url, account: '123456789012', region, endpoint: endpoint && origin }]
  })
}
