import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { takenFrom } from '../../shared/authentication/received.ts'

// Fields as servers write them, and as a client would want them to be read.

const RETURN_PATH = 'Return-Path: <bounces@sender.example>\r\n'

function from(received: string, { receivedBy = 'mx.receiver.example', above = RETURN_PATH } = {}) {
  return takenFrom(Buffer.from(`${above}Received: ${received}\r\nFrom: a@sender.example\r\n\r\n`), receivedBy)
}

describe('the address of the client is read from what is written by', () => {
  const forms: readonly [
    server: string,
    received: string,
    address: string,
    helo: string,
    receivedBy?: string,
  ][] = [
    [
      'Postfix',
      'from out.sender.example (mail.sender.example [192.0.2.25])\r\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))\r\n\t(No client certificate requested)\r\n\tby mx.receiver.example (Postfix) with ESMTPS id 4X; Mon, 30 Nov 2026 10:00:00 +0000 (UTC)',
      '192.0.2.25',
      'out.sender.example',
    ],
    [
      'Postfix, from IPv6',
      'from out.sender.example (unknown [IPv6:2001:db8::25]) by mx.receiver.example (Postfix) with ESMTP id 4X; Mon, 30 Nov 2026 10:00:00 +0000',
      '2001:db8::25',
      'out.sender.example',
    ],
    [
      'Exim',
      'from mail.sender.example ([192.0.2.25]:41234 helo=out.sender.example)\r\n\tby mx.receiver.example with esmtps (TLS1.3) (Exim 4.98)\r\n\t(envelope-from <bounces@sender.example>)\r\n\tid 1sX; Mon, 30 Nov 2026 10:00:00 +0000',
      '192.0.2.25',
      'out.sender.example',
    ],
    [
      'Exim, of a client without a name',
      'from [192.0.2.25] (helo=out.sender.example) by mx.receiver.example with esmtp (Exim 4.98) id 1sX; Mon, 30 Nov 2026 10:00:00 +0000',
      '192.0.2.25',
      'out.sender.example',
    ],
    [
      'Exim, of a client that calls itself by another address',
      'from mail.sender.example ([192.0.2.25]:41234 helo=[203.0.113.6]) by mx.receiver.example with esmtps id 1sX; Mon, 30 Nov 2026 10:00:00 +0000',
      '192.0.2.25',
      '203.0.113.6',
    ],
    [
      'Gmail',
      'from out.sender.example (out.sender.example. [192.0.2.25])\r\n        by mx.google.com with ESMTPS id x1\r\n        for <inbox@receiver.example>\r\n        (version=TLS1_3 cipher=TLS_AES_256_GCM_SHA384 bits=256/256);\r\n        Mon, 30 Nov 2026 02:00:00 -0800 (PST)',
      '192.0.2.25',
      'out.sender.example',
      'mx.google.com',
    ],
    [
      'Exchange Online',
      'from out.sender.example (192.0.2.25) by AM0EUR02FT012.mail.protection.outlook.com (10.13.54.10) with Microsoft SMTP Server (version=TLS1_3) id 15.20; Mon, 30 Nov 2026 10:00:00 +0000',
      '192.0.2.25',
      'out.sender.example',
      '*.mail.protection.outlook.com',
    ],
  ]
  for (const [server, received, address, helo, receivedBy] of forms)
    test(server, () => {
      const found = from(received, receivedBy ? { receivedBy } : {})
      assert.ok(!('reason' in found), JSON.stringify(found))
      assert.equal(found.clientAddress, address)
      assert.equal(found.helo, helo)
      assert.equal(found.mailFrom, 'bounces@sender.example')
      assert.equal(new Date(found.at ?? '').toISOString(), '2026-11-30T10:00:00.000Z')
    })
})

describe('nothing is believed', () => {
  const by = 'by mx.receiver.example with ESMTP id 1; Mon, 30 Nov 2026 10:00:00 +0000'
  const doubts: readonly [what: string, received: string, reason: RegExp, above?: string][] = [
    ['of another server', 'from a (b [192.0.2.25]) by mx.sender.example; x', /no Received field is by/],
    ['without an address', `from localhost ${by}`, /no address/],
    ['of an address that HELO named', `from [192.0.2.25] ${by}`, /no address/],
    [
      'where HELO has a comment with an address',
      `from x([203.0.113.6]) (unknown [192.0.2.25]) ${by}`,
      /two addresses/,
    ],
    [
      'where the certificate of a client has an address in its name',
      `from a (b [192.0.2.25]) (Client CN "x [203.0.113.6]", Issuer "y" (not verified)) ${by}`,
      /two addresses/,
    ],
    [
      'where HELO names the server',
      `from a (b [203.0.113.6]) by mx.receiver.example with SMTP (b [192.0.2.25]) ${by}`,
      /two servers/,
    ],
    ['of a step within the provider', `from filter (filter [127.0.0.1]) ${by}`, /its own network/],
    ['of a step within the provider, IPv6', `from filter (filter [IPv6:fd00::1]) ${by}`, /its own network/],
    ['of a mapped address within the provider', `from a (a [IPv6:::ffff:10.0.0.1]) ${by}`, /its own network/],
    ['without an envelope sender', `from a (b [192.0.2.25]) ${by}`, /no envelope sender/, ''],
    [
      'of an envelope sender that HELO named',
      `from a (envelope-from <x@other.example>) (b [192.0.2.25]) ${by}`,
      /no envelope sender/,
      '',
    ],
    [
      'of a comment without an end',
      'from a ((b [192.0.2.25]) by mx.receiver.example; x',
      /no Received field is by/,
    ],
  ]
  for (const [what, received, reason, above] of doubts)
    test(what, () => {
      const found = from(received, above === undefined ? {} : { above })
      assert.ok('reason' in found, JSON.stringify(found))
      assert.match(found.reason, reason)
    })

  test('of what stands below the topmost field of the server', () => {
    const found = from(`from f (f [10.0.0.1]) ${by}\r\nReceived: from a (b [192.0.2.25]) ${by}`)
    assert.ok('reason' in found)
    assert.match(found.reason, /its own network/)
  })

  test('of a second Return-Path', () => {
    const found = from(`from a (b [192.0.2.25]) ${by}`, {
      above: `${RETURN_PATH}Return-Path: <x@other.example>\r\n`,
    })
    assert.ok(!('reason' in found))
    assert.equal(found.mailFrom, 'bounces@sender.example')
  })

  test('of a Return-Path that the sender wrote', () => {
    const found = from(`from a (b [192.0.2.25]) ${by}\r\nReturn-Path: <x@other.example>`, { above: '' })
    assert.ok('reason' in found)
    assert.match(found.reason, /no envelope sender/)
  })

  test('of a header without any field', () => {
    assert.ok('reason' in takenFrom(Buffer.from('\r\n'), '*'))
  })
})
