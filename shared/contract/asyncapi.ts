import * as z from 'zod'
import { eventSchema, MESSAGE_ARCHIVED, MESSAGE_AUTHENTICATED } from './event.ts'

// The events as an AsyncAPI 3 document, for catalogues and generators of consumers' code: docs/asyncapi.json.

type EventOption = (typeof eventSchema.options)[number]

/** What Mailsluice sends, and to which queues. Names of queues are an operator's choice: they are parameters. */
export function asyncApiDocument(): object {
  const messages = eventSchema.options.map(messageOf)
  const archived = messages.filter(({ name }) => name === MESSAGE_ARCHIVED)
  const authenticated = messages.filter(({ name }) => name === MESSAGE_AUTHENTICATED)
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Events of Mailsluice',
      // Of the contract: what the types of the events end with.
      version: '1',
      description:
        'What Mailsluice announces on Amazon SQS. At least once: an event may come twice, always with the same id. Types end with their version; see events.md for what may change within one.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    defaultContentType: 'application/cloudevents+json',
    channels: {
      default: channel(
        'The queue named `default`: messages that no route takes, and whatever concerns a mailbox.',
        messages,
      ),
      routed: channel('A queue that routes name.', archived),
      verified: channel('A queue that `authentication` names.', authenticated),
    },
    operations: {
      announceByDefault: operation('default', messages),
      announceByRoute: operation('routed', archived),
      announceVerified: operation('verified', authenticated),
    },
    components: {
      messages: Object.fromEntries(messages.map(({ title, ...message }) => [title, { title, ...message }])),
    },
  }
}

function messageOf(option: EventOption) {
  const { title = '', description = '' } = option.meta() ?? {}
  const { $schema: _, ...payload } = z.toJSONSchema(option, { io: 'input', target: 'draft-7' })
  return {
    name: option.shape.type.value,
    title,
    summary: description,
    contentType: 'application/cloudevents+json',
    payload,
  }
}

interface Named {
  readonly title: string
}

function channel(description: string, messages: readonly Named[]) {
  return {
    address: '{queue}',
    description,
    parameters: { queue: { description: 'Name of an SQS queue, standard or FIFO.' } },
    messages: Object.fromEntries(
      messages.map(({ title }) => [title, { $ref: `#/components/messages/${title}` }]),
    ),
  }
}

function operation(name: string, messages: readonly Named[]) {
  return {
    action: 'send',
    channel: { $ref: `#/channels/${name}` },
    messages: messages.map(({ title }) => ({ $ref: `#/channels/${name}/messages/${title}` })),
  }
}
