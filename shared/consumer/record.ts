import { type Event, eventSchema } from '../contract/event.ts'
import { isGroup } from '../contract/written.ts'
import { IngestError } from '../errors.ts'

/** Wrappings that may stand around each other: an EventBridge event with a record of SQS that holds a notification of SNS. */
const WRAPPINGS = 4

/** Where the next layer is, by who wraps: EventBridge, SQS as a Lambda or a pipe gets it, SQS as its SDK gives it, SNS. */
const INNER = ['detail', 'body', 'Body', 'Message'] as const

/**
 * The event in a record, validated: a message as the SDK of SQS received it, a record of a Lambda's batch or of EventBridge Pipes, what a pipe
 * put on an event bus, a notification of SNS, the body alone as text, or the event itself. Fields that the schema does not know are left out.
 * Undefined for an event of a type that this version does not know: a later one announced it, and nobody here asks for it.
 * Throws EVENT_INVALID for anything else; it says where, and never what was written there.
 */
export function readEvent(record: unknown): Event | undefined {
  const event = unwrap(record)
  if (!types.has(event.type)) return undefined
  const result = eventSchema.safeParse(event)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw invalid(`${issue?.path.join('.') || 'the event'}: ${issue?.message}`)
}

const types: ReadonlySet<unknown> = new Set(eventSchema.options.map(({ shape }) => shape.type.value))

/** What has the marks of a CloudEvent of ours. */
function unwrap(record: unknown): Record<string, unknown> {
  let value = record
  for (let layer = 0; layer <= WRAPPINGS; layer++) {
    if (typeof value === 'string') value = parseJson(value)
    if (!isGroup(value)) break
    if (typeof value.specversion === 'string') {
      if (typeof value.type === 'string' && value.type.startsWith('mailsluice.')) return value
      throw invalid('type: a CloudEvent, and none of Mailsluice')
    }
    const wrapper = value
    const name = INNER.find((each) => Object.hasOwn(wrapper, each))
    if (name === undefined) break
    value = wrapper[name]
  }
  throw invalid('neither an event nor a record that holds one')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw invalid('not JSON', cause)
  }
}

function invalid(what: string, cause?: unknown): IngestError {
  return new IngestError('EVENT_INVALID', what, { cause })
}
