import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, isIP } from 'node:net'
import { describe, test } from 'node:test'
import { connect, createServer } from 'node:tls'
import { type CertificateOptions, makeAuthority } from './certificates.ts'

const HOUR_MS = 3_600_000
const authority = makeAuthority()

/** Resolves with the code that the client refuses the server's certificate with, or `accepted`. */
async function handshake(
  options: CertificateOptions,
  client: { readonly ca: string; readonly servername: string },
): Promise<string> {
  const { keyPem, certPem } = authority.issue(options)
  const server = createServer({ key: keyPem, cert: certPem }, (socket) => socket.on('error', () => {}).end())
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  // Node compares an IP address with the certificate only when `host` is one, not `servername`.
  const host = client.servername
  const socket = connect({
    port,
    host: '127.0.0.1',
    ca: client.ca,
    ...(isIP(host) === 0 && { servername: host }),
  })
  try {
    await once(socket, 'secureConnect')
    return 'accepted'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  } finally {
    socket.destroy()
    server.close()
  }
}

describe('certificates for tests', () => {
  const { caPem } = authority

  test('a handshake accepts every name and address that a certificate was issued for', async () => {
    const names = ['mail.example.org', 'localhost', '127.0.0.1', '::1']

    for (const servername of ['mail.example.org', 'localhost', '127.0.0.1'])
      assert.equal(await handshake({ names }, { ca: caPem, servername }), 'accepted')
  })

  test('a handshake refuses another name, another authority, and another time', async () => {
    const names = ['mail.example.org']
    const client = { ca: caPem, servername: 'mail.example.org' }
    const now = Date.now()

    assert.equal(
      await handshake({ names }, { ca: caPem, servername: 'localhost' }),
      'ERR_TLS_CERT_ALTNAME_INVALID',
    )
    assert.equal(
      await handshake({ names }, { ...client, ca: makeAuthority().caPem }),
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    )
    assert.equal(await handshake({ names, validTo: new Date(now - HOUR_MS) }, client), 'CERT_HAS_EXPIRED')
    assert.equal(await handshake({ names, validFrom: new Date(now + HOUR_MS) }, client), 'CERT_NOT_YET_VALID')
  })

  test('a certificate says what it was asked to say', () => {
    const validFrom = new Date('2049-12-31T23:59:59Z')
    const validTo = new Date('2050-01-01T00:00:00Z')
    const issued = new X509Certificate(
      authority.issue({ names: ['a.example', '192.0.2.7', '2001:db8::9:1', '::'], validFrom, validTo })
        .certPem,
    )
    const ca = new X509Certificate(caPem)

    assert.ok(ca.ca && !issued.ca)
    assert.ok(issued.checkIssued(ca) && issued.verify(ca.publicKey) && ca.verify(ca.publicKey))
    assert.equal(issued.subject, 'CN=a.example')
    assert.equal(issued.validFromDate.getTime(), validFrom.getTime())
    assert.equal(issued.validToDate.getTime(), validTo.getTime())
    assert.equal(issued.checkIP('192.0.2.7'), '192.0.2.7')
    assert.equal(
      issued.subjectAltName,
      'DNS:a.example, IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:9:1, IP Address:0:0:0:0:0:0:0:0',
    )
  })

  test('two certificates of one authority have keys and serial numbers of their own', () => {
    const [first, second] = [1, 2].map(
      () => new X509Certificate(authority.issue({ names: ['a.example'] }).certPem),
    )

    assert.notEqual(first?.serialNumber, second?.serialNumber)
    assert.notEqual(first?.fingerprint256, second?.fingerprint256)
    assert.notDeepEqual(
      first?.publicKey.export({ format: 'jwk' }),
      second?.publicKey.export({ format: 'jwk' }),
    )
  })
})
