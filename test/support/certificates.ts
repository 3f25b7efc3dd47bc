import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { isIP, isIPv4, SocketAddress } from 'node:net'

// X.509 certificates for tests (RFC 5280) in as much DER (X.690) as they need, so that no test depends on a tool.

/** A private CA that lives as long as the test. */
export interface Authority {
  readonly caPem: string
  /** A server certificate under this authority; valid for a day around now unless told otherwise. */
  issue(options: CertificateOptions): Issued
}

export interface CertificateOptions {
  /** Host names and IP addresses for subjectAltName, the first one also for the common name. */
  readonly names: readonly string[]
  readonly validFrom?: Date
  readonly validTo?: Date
  /** @default ec */
  readonly key?: 'ec' | 'rsa'
}

export interface Issued {
  /** PKCS #8. */
  readonly keyPem: string
  readonly certPem: string
}

const DAY_MS = 86_400_000

const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectId: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  version: 0xa0,
  extensions: 0xa3,
  dnsName: 0x82,
  ipAddress: 0x87,
} as const

const OBJECT_ID = {
  commonName: '2.5.4.3',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  extendedKeyUsage: '2.5.29.37',
  serverAuthentication: '1.3.6.1.5.5.7.3.1',
} as const

/** Bits of KeyUsage from the left: digitalSignature (0); keyCertSign (5) and cRLSign (6). */
const KEY_USAGE = { server: Buffer.of(7, 0x80), authority: Buffer.of(1, 0x06) } as const

/** A new authority with a key of its own; two authorities never trust each other's certificates. */
export function makeAuthority({
  validTo = new Date(Date.now() + 365 * DAY_MS),
}: {
  readonly validTo?: Date
} = {}): Authority {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const name = `Test authority ${randomBytes(4).toString('hex')}`
  const validFrom = new Date(Date.now() - 365 * DAY_MS)
  const caExtensions = [
    extension(OBJECT_ID.basicConstraints, sequence(der(TAG.boolean, Buffer.of(0xff))), true),
    extension(OBJECT_ID.keyUsage, der(TAG.bitString, KEY_USAGE.authority), true),
  ]
  return {
    caPem: certificate({
      subject: name,
      issuer: name,
      validFrom,
      validTo,
      publicKey,
      signedBy: privateKey,
      extensions: caExtensions,
    }),
    issue({ names, validFrom, validTo, key = 'ec' }) {
      const leaf =
        key === 'ec'
          ? generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
          : generateKeyPairSync('rsa', { modulusLength: 2048 })
      const certPem = certificate({
        subject: names[0] ?? '',
        issuer: name,
        validFrom: validFrom ?? new Date(Date.now() - DAY_MS),
        validTo: validTo ?? new Date(Date.now() + DAY_MS),
        publicKey: leaf.publicKey,
        signedBy: privateKey,
        extensions: [
          extension(OBJECT_ID.basicConstraints, sequence(), true),
          extension(OBJECT_ID.keyUsage, der(TAG.bitString, KEY_USAGE.server), true),
          extension(OBJECT_ID.extendedKeyUsage, sequence(objectId(OBJECT_ID.serverAuthentication))),
          extension(OBJECT_ID.subjectAltName, sequence(...names.map(generalName))),
        ],
      })
      return { keyPem: leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), certPem }
    },
  }
}

interface Certificate {
  readonly subject: string
  readonly issuer: string
  readonly validFrom: Date
  readonly validTo: Date
  readonly publicKey: KeyObject
  readonly signedBy: KeyObject
  readonly extensions: readonly Buffer[]
}

function certificate(content: Certificate): string {
  const algorithm = sequence(objectId(OBJECT_ID.ecdsaWithSha256))
  const signed = sequence(
    der(TAG.version, der(TAG.integer, Buffer.of(2))),
    der(TAG.integer, serialNumber()),
    algorithm,
    distinguishedName(content.issuer),
    sequence(time(content.validFrom), time(content.validTo)),
    distinguishedName(content.subject),
    content.publicKey.export({ type: 'spki', format: 'der' }),
    der(TAG.extensions, sequence(...content.extensions)),
  )
  const signature = sign('sha256', signed, content.signedBy)
  const whole = sequence(signed, algorithm, der(TAG.bitString, Buffer.of(0), signature))
  const lines = whole.toString('base64').replace(/.{64}(?!$)/g, '$&\n')
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`
}

/** A positive number whose first octet is neither zero nor negative, as DER wants integers. */
function serialNumber(): Buffer {
  return Buffer.concat([Buffer.of(0x40), randomBytes(15)])
}

function distinguishedName(commonName: string): Buffer {
  return sequence(
    der(TAG.set, sequence(objectId(OBJECT_ID.commonName), der(TAG.utf8String, Buffer.from(commonName)))),
  )
}

function extension(id: string, value: Buffer, critical = false): Buffer {
  const mark = critical ? [der(TAG.boolean, Buffer.of(0xff))] : []
  return sequence(objectId(id), ...mark, der(TAG.octetString, value))
}

function generalName(name: string): Buffer {
  return isIP(name) === 0 ? der(TAG.dnsName, Buffer.from(name)) : der(TAG.ipAddress, addressOctets(name))
}

function addressOctets(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number))
  const canonical = new SocketAddress({ address, family: 'ipv6' }).address
  const [head = '', tail] = canonical.split('::')
  const [left, right] = [head, tail ?? ''].map((half) => (half === '' ? [] : half.split(':')))
  const zeros = new Array<string>(8 - (left?.length ?? 0) - (right?.length ?? 0)).fill('0')
  const groups = [...(left ?? []), ...zeros, ...(right ?? [])]
  return Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex')
}

/** UTCTime until 2049, GeneralizedTime from then on (RFC 5280, 4.1.2.5); whole seconds. */
function time(date: Date): Buffer {
  const digits = `${date.toISOString().replace(/[-T:]/g, '').slice(0, 14)}Z`
  return date.getUTCFullYear() < 2050
    ? der(TAG.utcTime, Buffer.from(digits.slice(2)))
    : der(TAG.generalizedTime, Buffer.from(digits))
}

function objectId(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  return der(TAG.objectId, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]))
}

function base128(value: number): number[] {
  const octets = [value & 0x7f]
  for (let left = value >> 7; left > 0; left >>= 7) octets.unshift((left & 0x7f) | 0x80)
  return octets
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(TAG.sequence, ...parts)
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  if (content.length < 0x80) return Buffer.concat([Buffer.of(tag, content.length), content])
  const length = Buffer.alloc(4)
  length.writeUInt32BE(content.length)
  const significant = length.subarray(length.findIndex((octet) => octet !== 0))
  return Buffer.concat([Buffer.of(tag, 0x80 | significant.length), significant, content])
}
