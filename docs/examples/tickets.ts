import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SQSClient } from '@aws-sdk/client-sqs'
import { type ArchivedData, type Event, MESSAGE_ARCHIVED } from 'mailsluice/consumer'
import { consumeQueue } from 'mailsluice/consumer/sqs'

// Tickets: mail to support, joined to threads, in a log; what opens a ticket is acknowledged, and nothing else is, so that no two machines talk
// to each other for ever. The acknowledgements are files for a mail server of yours to send. One process, until the queue is empty.
//
//   QUEUE_URL=… FOLDER=./tickets ADDRESS=support@acme.example node tickets.mjs

const { QUEUE_URL = '', FOLDER = 'tickets', ADDRESS = '' } = process.env

/** Tickets that one sender may have acknowledged in an hour: a machine that calls itself a person stops here. */
const ACKNOWLEDGED_AN_HOUR = 3

interface Line {
  readonly event: string
  readonly time: string
  /** `opened` a ticket, `joined` one, said that an answer `bounced`, or was none of a ticket's business. */
  readonly what: 'opened' | 'joined' | 'bounced' | 'ignored'
  readonly ticket?: number
  /** Names of the message and of its thread: whatever has one of them later belongs to the ticket. */
  readonly names: readonly string[]
  readonly from: string
  readonly subject: string
  readonly acknowledged: boolean
}

const log = join(FOLDER, 'tickets.ndjson')
mkdirSync(join(FOLDER, 'outbox'), { recursive: true })
const lines: Line[] = existsSync(log)
  ? readFileSync(log, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Line)
  : []
const events = new Set(lines.map(({ event }) => event))
const tickets = new Map(lines.flatMap(({ names, ticket }) => names.map((name) => [name, ticket] as const)))
let last = Math.max(0, ...lines.map(({ ticket = 0 }) => ticket))

const sqs = new SQSClient()
await consumeQueue(sqs, QUEUE_URL, take, { untilEmpty: true })
sqs.destroy()

/** Synchronous, so that two events of one thread never meet halfway. The log is also what keeps repeats away. */
function take(event: Event): void {
  if (event.type !== MESSAGE_ARCHIVED || events.has(event.id)) return
  const { message, class: kind } = event.data
  const [first] = message.from
  const from = first?.address?.toLowerCase() ?? ''
  const names = namesOf(event.data)
  const known = names.map((name) => tickets.get(name)).find((ticket) => ticket !== undefined)
  const what = whatOf(kind, known, from)
  const line = { event: event.id, time: event.time, what, from, subject: message.subject ?? '' }
  if (what !== 'opened') {
    record({ ...line, names, acknowledged: false, ...(known !== undefined && { ticket: known }) })
    return
  }
  const ticket = ++last
  const acknowledged = mayAcknowledge(event.data, from, event.time)
  // Before the log: a crash in between writes the same file again.
  if (acknowledged) acknowledge(event.data, from, ticket)
  // What is answered to the acknowledgement, or bounces, belongs to the ticket.
  record({ ...line, names: [...names, `id ${acknowledgementId(ticket)}`], acknowledged, ticket })
}

function acknowledgementId(ticket: number): string {
  return `ticket-${ticket}@${ADDRESS.split('@')[1]}`
}

function whatOf(kind: string, known: number | undefined, from: string): Line['what'] {
  if (kind === 'bounce') return known === undefined ? 'ignored' : 'bounced'
  if (known !== undefined) return 'joined'
  // Machines may belong to a thread; they begin none.
  const machine = ['auto-reply', 'read-receipt', 'complaint', 'dmarc-report', 'list'].includes(kind)
  return machine || from === ADDRESS.toLowerCase() ? 'ignored' : 'opened'
}

/** A thread by what mail programs write (References, In-Reply-To), by what the provider says, or by what a bounce brings back. */
function namesOf({ message, mailbox, bounce }: ArchivedData): string[] {
  const { messageId, inReplyTo, references } = message
  const ids = [messageId, ...inReplyTo, ...references, bounce?.originalMessageId].map(
    (id) => id && `id ${id}`,
  )
  const threads = [mailbox.threadId ?? mailbox.gmailThreadId].map((id) => id && `thread ${mailbox.id} ${id}`)
  return [...new Set([...ids, ...threads].filter((name) => name !== undefined))]
}

/** RFC 3834, 2: nothing that a machine or a list sent, and not without measure. */
function mayAcknowledge({ message, class: kind }: ArchivedData, from: string, time: string): boolean {
  const { headers } = message
  const bulk = headers.precedence?.some((value) => /bulk|junk|list/i.test(value)) ?? false
  const silent = headers['x-auto-response-suppress'] !== undefined || headers['return-path']?.[0] === '<>'
  if (kind !== 'ordinary' || bulk || silent || !/^[^\s<>@]+@[^\s<>@]+$/.test(from)) return false
  const hourBefore = Date.parse(time) - 3_600_000
  const recent = lines.filter(
    (line) => line.acknowledged && line.from === from && Date.parse(line.time) > hourBefore,
  )
  return recent.length < ACKNOWLEDGED_AN_HOUR
}

/** Says of itself that a machine wrote it (RFC 3834, 5), so that other machines do not answer. */
function acknowledge({ message }: ArchivedData, to: string, ticket: number): void {
  const { messageId } = message
  const fields = [
    `From: ${ADDRESS}`,
    `To: ${to}`,
    `Subject: [Ticket ${ticket}] Thank you`,
    `Message-ID: <${acknowledgementId(ticket)}>`,
    ...(messageId !== undefined && /^[\x21-\x7e]+$/.test(messageId)
      ? [`In-Reply-To: <${messageId}>`, `References: <${messageId}>`]
      : []),
    'Auto-Submitted: auto-replied',
    'X-Auto-Response-Suppress: All',
  ]
  const text = `Thank you for your message. It is ticket ${ticket}.`
  writeFileSync(join(FOLDER, 'outbox', `${ticket}.eml`), `${fields.join('\r\n')}\r\n\r\n${text}\r\n`)
}

function record(line: Line): void {
  appendFileSync(log, `${JSON.stringify(line)}\n`)
  lines.push(line)
  events.add(line.event)
  for (const name of line.names) if (line.ticket !== undefined) tickets.set(name, line.ticket)
}
