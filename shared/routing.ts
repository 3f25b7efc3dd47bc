import type { RouteConfig } from './contract/config.ts'
import type { Address } from './contract/event.ts'
import { matchesAnyGlob } from './contract/glob.ts'
import type { MailboxId } from './contract/ids.ts'
import type { ParsedMessage } from './mail/parsed-message.ts'

/** The queue of messages that no route wants, and of events about a mailbox. */
export const DEFAULT_QUEUE = 'default'

/**
 * The queue that a message's event goes to: the first route of which every condition holds. Routes look at what the parser read, at most
 * `PARSER.addresses` recipients and `PARSER.attachments` attachments; what is cut later to bound the event's size does not change them.
 */
export function routeOf(
  config: { readonly routes: readonly RouteConfig[] },
  message: { readonly mailbox: MailboxId; readonly parsed: ParsedMessage },
): string {
  return config.routes.find((route) => holds(route.when, message))?.queue ?? DEFAULT_QUEUE
}

function holds(
  when: RouteConfig['when'],
  { mailbox, parsed }: { readonly mailbox: MailboxId; readonly parsed: ParsedMessage },
): boolean {
  const { from, sender, to, cc, bcc, deliveredTo, subject } = parsed.message
  const conditions: readonly (readonly [string | string[] | undefined, () => readonly string[]])[] = [
    [when.mailbox, () => [mailbox]],
    [when.from, () => addresses([...from, ...sender])],
    [when.to, () => [...addresses([...to, ...cc, ...bcc]), ...deliveredTo.map(withoutBrackets)]],
    [when.subject, () => [subject ?? '']],
    [when.attachment, () => parsed.attachments.map(({ contentType }) => contentType)],
  ]
  return conditions.every(([globs, values]) => globs === undefined || matchesAnyGlob(globs, values()))
}

function addresses(list: readonly Address[]): string[] {
  return list.flatMap(({ address }) => address ?? [])
}

/** Delivered-To is written with and without them. */
function withoutBrackets(address: string): string {
  return address.trim().replace(/^<(.*)>$/, '$1')
}
