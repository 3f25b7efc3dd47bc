import { createHash, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'

// As much of SQS as the adapter speaks, in memory, with a script of faults: for what no engine does on demand (throttling, refusals of
// single entries, an answer that gets lost). It answers as AWS documents (JSON protocol), but it is written by the same hands as the adapter, so
// it proves nothing about SQS: the contract suite runs on real engines (local.test.ts, test/interop).

export interface ScriptedEntry {
  readonly Id: string
  readonly MessageBody: string
  readonly MessageGroupId?: string
  readonly MessageDeduplicationId?: string
}

export interface ScriptedRequest {
  /** `GetQueueUrl`, `GetQueueAttributes`, `SendMessageBatch`, `ReceiveMessage`, `DeleteMessage`. */
  readonly operation: string
  /** Name of the queue. */
  readonly queue: string
  readonly headers: IncomingMessage['headers']
  readonly body: Readonly<Record<string, unknown>>
  /** Of SendMessageBatch. */
  readonly entries: readonly ScriptedEntry[]
}

/**
 * `lose the answer`: the request is carried out, then the connection breaks. `break`: it breaks before. `stall`: nothing ever comes. `after`: it is
 * carried out when the promise is kept. `refuse`: entries that are not taken, by their place in the batch; `forget`: nor named in the answer.
 */
export type Fault =
  | 'lose the answer'
  | 'break'
  | 'stall'
  | { readonly after: Promise<unknown> }
  | { readonly status: number; readonly code: string; readonly page?: string }
  | {
      readonly refuse: Readonly<
        Record<number, { readonly code: string; readonly senderFault: boolean } | 'forget'>
      >
    }

export interface ScriptedSqs {
  readonly endpoint: string
  readonly requests: readonly ScriptedRequest[]
  /** What was sent to each queue and not removed, in order. */
  readonly queues: ReadonlyMap<string, ScriptedEntry[]>
  /** SendMessageBatch under way at the same time, at most so far. */
  mostAtOnce(): number
  connections(): Promise<number>
  close(): Promise<void>
}

export async function startScriptedSqs(
  /** Those that are there. */
  names: readonly string[],
  /** Asked for each request; `nth` counts those of its operation from 1. */
  fault: (request: ScriptedRequest, nth: number) => Fault | undefined = () => undefined,
): Promise<ScriptedSqs> {
  const requests: ScriptedRequest[] = []
  const queues = new Map<string, ScriptedEntry[]>(names.map((name) => [name, []]))
  const deduplicated = new Set<string>()
  let sending = 0
  let mostAtOnce = 0
  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => response.destroy(error as Error))
  })

  // Only a client ends its connections.
  server.keepAliveTimeout = 0

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = (await json(request)) as Record<string, unknown>
    const operation = String(request.headers['x-amz-target']).replace('AmazonSQS.', '')
    const queue = String(body.QueueName ?? String(body.QueueUrl).split('/').at(-1))
    const entries = (body.Entries ?? []) as ScriptedEntry[]
    const seen: ScriptedRequest = { operation, queue, headers: request.headers, body, entries }
    requests.push(seen)
    if (operation === 'SendMessageBatch') mostAtOnce = Math.max(mostAtOnce, ++sending)
    try {
      await answer(
        seen,
        fault(seen, requests.filter((other) => other.operation === operation).length),
        response,
      )
    } finally {
      if (operation === 'SendMessageBatch') sending--
    }
  }

  async function answer(request: ScriptedRequest, scripted: Fault | undefined, response: ServerResponse) {
    if (scripted === 'stall') return
    if (scripted === 'break') {
      response.socket?.destroy()
      return
    }
    if (typeof scripted === 'object' && 'after' in scripted) await scripted.after
    if (typeof scripted === 'object' && 'status' in scripted) {
      const { status, code, page } = scripted
      if (page === undefined) refuse(response, status, code)
      else response.writeHead(status, { 'content-type': 'text/html' }).end(page)
      return
    }
    const refused = typeof scripted === 'object' && 'refuse' in scripted ? scripted.refuse : {}
    const content = carryOut(request, refused)
    if (scripted === 'lose the answer') response.socket?.destroy()
    else if (content === undefined) refuse(response, 400, 'QueueDoesNotExist')
    else
      response
        .writeHead(200, { 'content-type': 'application/x-amz-json-1.0', 'x-amzn-requestid': randomUUID() })
        .end(JSON.stringify(content))
  }

  /** Undefined for a queue that is not there. */
  function carryOut(
    { operation, queue, entries, body }: ScriptedRequest,
    refused: Extract<Fault, { refuse: unknown }>['refuse'],
  ): object | undefined {
    const held = queues.get(queue)
    if (!held) return undefined
    switch (operation) {
      case 'GetQueueUrl':
        // A host that does not resolve: nobody is to follow it.
        return { QueueUrl: `https://sqs.there-is-none.invalid/123456789012/${queue}` }
      case 'GetQueueAttributes':
        return { Attributes: { ApproximateNumberOfMessages: String(held.length) } }
      case 'ReceiveMessage':
        return { Messages: held.slice(0, Number(body.MaxNumberOfMessages)).map(received) }
      case 'DeleteMessage':
        queues.set(
          queue,
          held.filter((entry) => md5(entry.MessageBody) !== body.ReceiptHandle),
        )
        return {}
      case 'SendMessageBatch': {
        const taken = entries.filter((_, i) => refused[i] === undefined)
        for (const entry of taken) {
          const id = `${queue} ${entry.MessageDeduplicationId ?? randomUUID()}`
          if (!deduplicated.has(id)) held.push(entry)
          deduplicated.add(id)
        }
        return {
          Successful: taken.map(sent),
          Failed: entries.flatMap((entry, i) => failed(entry, refused[i])),
        }
      }
      default:
        throw new TypeError(`${operation} is not scripted`)
    }
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    queues,
    mostAtOnce: () => mostAtOnce,
    connections: () =>
      new Promise((resolve, reject) =>
        server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
      ),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function refuse(response: ServerResponse, status: number, code: string): void {
  const fault = status < 500 ? 'Sender' : 'Receiver'
  response
    .writeHead(status, {
      'content-type': 'application/x-amz-json-1.0',
      'x-amzn-requestid': randomUUID(),
      'x-amzn-query-error': `${code};${fault}`,
    })
    .end(JSON.stringify({ __type: `com.amazonaws.sqs#${code}`, message: 'as scripted' }))
}

function received({ MessageBody }: ScriptedEntry): object {
  return {
    MessageId: randomUUID(),
    ReceiptHandle: md5(MessageBody),
    MD5OfBody: md5(MessageBody),
    Body: MessageBody,
    Attributes: { ApproximateReceiveCount: '3' },
  }
}

function sent({ Id, MessageBody }: ScriptedEntry): object {
  return { Id, MessageId: randomUUID(), MD5OfMessageBody: md5(MessageBody) }
}

function failed(
  { Id }: ScriptedEntry,
  refusal: { readonly code: string; readonly senderFault: boolean } | 'forget' | undefined,
): object[] {
  if (refusal === undefined || refusal === 'forget') return []
  return [{ Id, Code: refusal.code, SenderFault: refusal.senderFault, Message: 'as scripted' }]
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex')
}
