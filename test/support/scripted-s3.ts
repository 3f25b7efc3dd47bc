import { createHash, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

// As much of S3 as the adapters speak, in memory, with a script of faults: for what no engine does on demand (409, 503, an answer
// that gets lost), and to run the Lambda bundles against in `npm test`. It answers as AWS documents, but it is written by
// the same hands as the adapters, so it proves nothing about S3: the contract suite runs on real engines (test/interop).

export interface ScriptedRequest {
  /** `PutObject`, `HeadObject`, `GetObject`, `ListObjectsV2`, `GetBucketVersioning`, `GetObjectLockConfiguration`, `PutObjectLegalHold`. */
  readonly operation: string
  readonly bucket: string
  readonly key: string
  readonly headers: IncomingMessage['headers']
}

export interface StoredObject {
  readonly content: Buffer
  readonly headers: Readonly<Record<string, string>>
}

/**
 * `lose the answer`: the request is carried out, then the connection breaks. `break`: it breaks before. `stall`: nothing ever comes;
 * in the body: its first half does.
 * `carry out`: carried out, and answered with the status all the same.
 */
export type Fault =
  | 'lose the answer'
  | 'break'
  | 'stall'
  | 'stall in the body'
  | {
      readonly status: number
      readonly code: string
      readonly headers?: Record<string, string>
      readonly carryOut?: true
    }

export interface Bucket {
  readonly versioning?: 'Enabled' | 'Suspended' | undefined
  readonly objectLock?:
    | {
        readonly mode?: 'GOVERNANCE' | 'COMPLIANCE'
        readonly days?: number
        readonly years?: number
        readonly off?: true
      }
    | undefined
  readonly objects?: Map<string, StoredObject>
}

export interface ScriptedS3 {
  readonly endpoint: string
  readonly requests: readonly ScriptedRequest[]
  /** By bucket and key. Change it to play somebody else. */
  readonly buckets: ReadonlyMap<string, Bucket & { readonly objects: Map<string, StoredObject> }>
  close(): Promise<void>
}

export async function startScriptedS3(
  buckets: Readonly<Record<string, Bucket>>,
  /** Asked for each request; `nth` counts those of its operation from 1. */
  fault: (request: ScriptedRequest, nth: number) => Fault | undefined = () => undefined,
): Promise<ScriptedS3> {
  const requests: ScriptedRequest[] = []
  const made = new Map(
    Object.entries(buckets).map(([name, bucket]) => [
      name,
      { ...bucket, objects: bucket.objects ?? new Map() },
    ]),
  )
  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      if (!request.destroyed) response.destroy(error as Error)
    })
  })

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://s3')
    const [, bucketName = '', key = ''] = /^\/([^/]*)\/?(.*)$/s.exec(decodeURIComponent(url.pathname)) ?? []
    const operation = operationOf(request.method ?? '', key, url.searchParams)
    const seen: ScriptedRequest = { operation, bucket: bucketName, key, headers: request.headers }
    requests.push(seen)
    const scripted = fault(seen, requests.filter((other) => other.operation === operation).length)
    if (scripted === 'stall') return
    if (scripted === 'break') {
      request.socket.destroy()
      return
    }
    const body = await bodyOf(request)
    if (typeof scripted === 'object' && !scripted.carryOut) {
      response.writeHead(scripted.status, scripted.headers).end(errorXml(scripted.code))
      return
    }
    const answer = carryOut(seen, url.searchParams, body)
    if (scripted === 'lose the answer') {
      request.socket.destroy()
      return
    }
    const { status, headers, content } =
      typeof scripted === 'object'
        ? { status: scripted.status, headers: {}, content: errorXml(scripted.code) }
        : answer
    response.writeHead(status, {
      'x-amz-request-id': randomUUID(),
      'content-length': content.length,
      ...headers,
    })
    if (scripted === 'stall in the body') {
      response.write(content.subarray(0, content.length / 2))
      return
    }
    response.end(request.method === 'HEAD' ? undefined : content)
  }

  function carryOut(request: ScriptedRequest, query: URLSearchParams, body: Buffer): Answer {
    const { operation, key, headers } = request
    if (!headers.authorization) return refused(403, 'AccessDenied')
    const bucket = made.get(request.bucket)
    if (!bucket) return refused(404, 'NoSuchBucket')
    const object = bucket.objects.get(key)
    switch (operation) {
      case 'GetBucketVersioning':
        return xml(
          `<VersioningConfiguration>${bucket.versioning ? `<Status>${bucket.versioning}</Status>` : ''}</VersioningConfiguration>`,
        )
      case 'GetObjectLockConfiguration':
        return bucket.objectLock
          ? xml(lockXml(bucket.objectLock))
          : refused(404, 'ObjectLockConfigurationNotFoundError')
      case 'ListObjectsV2':
        return xml(listXml(bucket.objects, query))
      case 'HeadObject':
      case 'GetObject':
        if (!object) return refused(404, 'NoSuchKey')
        if (headers['if-none-match'] !== undefined && headers['if-none-match'] === object.headers.etag)
          return { status: 304, headers: {}, content: Buffer.alloc(0) }
        return {
          status: headers.range ? 206 : 200,
          headers: object.headers,
          content: rangeOf(object.content, headers.range),
        }
      case 'PutObjectLegalHold':
        return { status: 200, headers: {}, content: Buffer.alloc(0) }
      case 'PutObject':
        return refusal(headers, object, body) ?? store(bucket, key, headers, body)
      default:
        return refused(501, 'NotImplemented')
    }
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    buckets: made,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function rangeOf(content: Buffer, range = ''): Buffer {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? []
  return first === undefined ? content : content.subarray(Number(first), Number(last) + 1)
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly content: Buffer
}

function operationOf(method: string, key: string, query: URLSearchParams): string {
  if (query.has('versioning')) return `${method === 'GET' ? 'Get' : 'Put'}BucketVersioning`
  if (query.has('object-lock')) return `${method === 'GET' ? 'Get' : 'Put'}ObjectLockConfiguration`
  if (query.has('legal-hold')) return `${method === 'GET' ? 'Get' : 'Put'}ObjectLegalHold`
  if (method === 'GET' && key === '') return 'ListObjectsV2'
  return `${{ GET: 'Get', HEAD: 'Head', PUT: 'Put', DELETE: 'Delete' }[method] ?? method}Object`
}

/** Preconditions and checksums, in S3's order. */
function refusal(
  headers: IncomingMessage['headers'],
  object: StoredObject | undefined,
  body: Buffer,
): Answer | undefined {
  if (headers['if-none-match'] === '*' && object) return refused(412, 'PreconditionFailed')
  if (headers['if-match'] && !object) return refused(404, 'NoSuchKey')
  if (headers['if-match'] && headers['if-match'] !== object?.headers.etag)
    return refused(412, 'PreconditionFailed')
  const sent = headers['x-amz-checksum-sha256']
  if (sent !== undefined && sent !== sha256Of(body)) return refused(400, 'BadDigest')
  return undefined
}

function store(
  bucket: Bucket & { objects: Map<string, StoredObject> },
  key: string,
  sent: IncomingMessage['headers'],
  content: Buffer,
): Answer {
  const { mode, days } = bucket.objectLock ?? {}
  const kept: Record<string, string> = {
    etag: `"${createHash('md5').update(content).digest('hex')}"`,
    'content-type': sent['content-type'] ?? 'binary/octet-stream',
    'x-amz-checksum-sha256': sha256Of(content),
    'last-modified': new Date().toUTCString(),
  }
  if (bucket.versioning === 'Enabled') kept['x-amz-version-id'] = randomUUID()
  if (mode && days) {
    kept['x-amz-object-lock-mode'] = mode
    kept['x-amz-object-lock-retain-until-date'] = new Date(Date.now() + days * 86_400_000).toISOString()
  }
  for (const [name, value] of Object.entries(sent))
    if (/^x-amz-(meta-|object-lock-)/.test(name) && typeof value === 'string') kept[name] = value
  bucket.objects.set(key, { content, headers: kept })
  const told = ['etag', 'x-amz-version-id', 'x-amz-checksum-sha256'].filter(
    (name) => kept[name] !== undefined,
  )
  return {
    status: 200,
    headers: Object.fromEntries(told.map((name) => [name, kept[name] ?? ''])),
    content: Buffer.alloc(0),
  }
}

function listXml(objects: Map<string, StoredObject>, query: URLSearchParams): string {
  const prefix = query.get('prefix') ?? ''
  const start = query.get('continuation-token') ?? query.get('start-after') ?? ''
  const size = Number(query.get('max-keys') ?? 1000)
  const keys = [...objects.keys()]
    .filter(
      (key) =>
        key.startsWith(prefix) && (start === '' || Buffer.compare(Buffer.from(key), Buffer.from(start)) > 0),
    )
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  const page = keys.slice(0, size)
  const next =
    keys.length > size ? `<NextContinuationToken>${escapeXml(page.at(-1) ?? '')}</NextContinuationToken>` : ''
  const contents = page.map(
    (key) =>
      `<Contents><Key>${escapeXml(key)}</Key><Size>${objects.get(key)?.content.length ?? 0}</Size></Contents>`,
  )
  return `<ListBucketResult><IsTruncated>${keys.length > size}</IsTruncated>${next}${contents.join('')}</ListBucketResult>`
}

function lockXml({ mode, days, years, off }: NonNullable<Bucket['objectLock']>): string {
  if (off) return '<ObjectLockConfiguration></ObjectLockConfiguration>'
  const time = years === undefined ? `<Days>${days}</Days>` : `<Years>${years}</Years>`
  const rule = mode ? `<Rule><DefaultRetention><Mode>${mode}</Mode>${time}</DefaultRetention></Rule>` : ''
  return `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>${rule}</ObjectLockConfiguration>`
}

/** The octets of a request; without the framing of aws-chunked (`size;extensions CRLF octets CRLF … 0 CRLF trailers`). */
async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const body = await buffer(request)
  if (!/aws-chunked/.test(request.headers['content-encoding'] ?? '')) return body
  const parts: Buffer[] = []
  for (let at = 0; ; ) {
    const end = body.indexOf('\r\n', at)
    const size = Number.parseInt(body.toString('latin1', at, end), 16)
    if (!(size > 0)) return Buffer.concat(parts)
    parts.push(body.subarray(end + 2, end + 2 + size))
    at = end + 2 + size + 2
  }
}

function xml(text: string): Answer {
  return { status: 200, headers: { 'content-type': 'application/xml' }, content: Buffer.from(text) }
}

function refused(status: number, code: string): Answer {
  return { status, headers: { 'content-type': 'application/xml' }, content: errorXml(code) }
}

function errorXml(code: string): Buffer {
  return Buffer.from(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>as scripted</Message></Error>`)
}

function escapeXml(text: string): string {
  return text.replace(/[<>&'"]/g, (character) => `&#${character.charCodeAt(0)};`)
}

function sha256Of(octets: Buffer): string {
  return createHash('sha256').update(octets).digest('base64')
}
