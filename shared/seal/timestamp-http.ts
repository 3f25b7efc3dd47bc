import { createHash, randomBytes } from 'node:crypto'
import { IngestError } from '../errors.ts'
import { SEAL } from '../limits.ts'
import type { TimestampAuthority } from './signer.ts'

// RFC 3161 over HTTP (3.4). What is asked is a fixed sequence of octets around a digest; of the answer is read whether it was granted, and that it is
// for this question. Its signature is for `openssl ts -verify` to check, against the authority's certificate, by whoever has to believe it.

/** SHA-256 (RFC 8017, B.1) with NULL parameters. */
const SHA256_ALGORITHM = Buffer.from('300d06096086480165030402010500', 'hex')

export function openTimestampAuthority(url: string): TimestampAuthority {
  return {
    url,
    async stamp(octets) {
      const digest = createHash('sha256').update(octets).digest()
      const nonce = positive(randomBytes(8))
      const answer = await post(url, question(digest, nonce))
      if (!isGranted(answer)) throw unavailable(url, 'it did not grant the timestamp')
      // Both stand in the token that it signs.
      if (!answer.includes(digest) || !answer.includes(nonce))
        throw unavailable(url, 'its answer is for another question')
      return answer
    },
  }
}

/** TimeStampReq (RFC 3161, 2.4.1), with the certificate of the authority asked for. */
function question(digest: Buffer, nonce: Buffer): Buffer {
  const imprint = der(0x30, SHA256_ALGORITHM, der(0x04, digest))
  return der(0x30, der(0x02, Buffer.of(1)), imprint, der(0x02, nonce), der(0x01, Buffer.of(0xff)))
}

/** All of it is shorter than 128 octets, so that a length is one octet (X.690, 8.1.3.4). */
function der(tag: number, ...content: readonly Buffer[]): Buffer {
  const value = Buffer.concat(content)
  return Buffer.concat([Buffer.of(tag, value.length), value])
}

/** An INTEGER that is not negative and needs no leading zero. */
function positive(octets: Buffer): Buffer {
  octets[0] = ((octets[0] as number) & 0x3f) | 0x40
  return octets
}

/** TimeStampResp ::= SEQUENCE { PKIStatusInfo ::= SEQUENCE { status INTEGER …: 0 granted, 1 granted with modifications. */
function isGranted(answer: Buffer): boolean {
  const statusInfo = contentOf(answer, 0x30)
  const status = statusInfo && contentOf(statusInfo, 0x30)
  const value = status && contentOf(status, 0x02)
  return value?.length === 1 && (value[0] === 0 || value[0] === 1)
}

/** The content of the first element; undefined when it has another tag or a length that cannot be. */
function contentOf(octets: Buffer, tag: number): Buffer | undefined {
  const [first, length] = octets
  if (first !== tag || length === undefined) return undefined
  if (length < 0x80) return octets.subarray(2, 2 + length)
  const more = length & 0x7f
  if (more === 0 || more > 4 || octets.length < 2 + more) return undefined
  const from = 2 + more
  return octets.subarray(from, from + octets.readUIntBE(2, more))
}

async function post(url: string, body: Buffer): Promise<Buffer> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/timestamp-query' },
      body: new Uint8Array(body),
      redirect: 'error',
      signal: AbortSignal.timeout(SEAL.timestampMs),
    })
    if (!response.ok) throw new Error(`HTTP ${response.status}`)
    const chunks: Uint8Array[] = []
    let octets = 0
    for await (const chunk of response.body ?? []) {
      octets += chunk.length
      if (octets > SEAL.timestampOctets) throw new Error(`more than ${SEAL.timestampOctets} octets`)
      chunks.push(chunk)
    }
    return Buffer.concat(chunks)
  } catch (cause) {
    throw unavailable(url, cause instanceof Error ? cause.message : String(cause), cause)
  }
}

function unavailable(url: string, what: string, cause?: unknown): IngestError {
  return new IngestError('TIMESTAMP_UNAVAILABLE', `${url}: ${what}`, { cause })
}
