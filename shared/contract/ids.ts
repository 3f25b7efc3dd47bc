/** Identifiers that must not be swapped for each other. Each is made by one function or schema, then only passed on. */

declare const brand: unique symbol
type Branded<Base, Name extends string> = Base & { readonly [brand]: Name }

/** The operator's name for a mailbox: `[a-z0-9][a-z0-9-]{0,62}`. Part of object keys, event ids and queue group ids. */
export type MailboxId = Branded<string, 'MailboxId'>

/** SHA-256 of a message's octets, 64 lower-case hex digits: the identity of a message in this system. */
export type Sha256 = Branded<string, 'Sha256'>

/** IMAP unique identifier, 1 to 2^32-1, meaningful only with a folder and a UIDVALIDITY (RFC 9051, 2.3.1.1). */
export type Uid = Branded<number, 'Uid'>

/** POP3 unique-id, 1 to 70 octets of printable ASCII (RFC 1939, 7). */
export type Uidl = Branded<string, 'Uidl'>

/**
 * The span over which a server's message ids keep their meaning: the UIDVALIDITY in decimal for IMAP,
 * `uidl` for POP3, `top` for a POP3 server without UIDL (see mailbox/pop3.ts). Ids of two epochs never compare.
 */
export type Epoch = Branded<string, 'Epoch'>

/** One run of a drain; random. Written into every object and segment, so that a later drain knows whose they are. */
export type DrainId = Branded<string, 'DrainId'>

/** Name of a case of legal hold: of the form of a mailbox id, for it is part of keys. */
export type CaseName = Branded<string, 'CaseName'>

/** Key of an object in the archive or the state bucket; built and parsed in object-key.ts alone. */
export type ObjectKey = Branded<string, 'ObjectKey'>

export const MAILBOX_ID_PATTERN: RegExp = /^[a-z0-9][a-z0-9-]{0,62}$/
export const CASE_NAME_PATTERN: RegExp = MAILBOX_ID_PATTERN
export const SHA256_PATTERN: RegExp = /^[0-9a-f]{64}$/

/** Throws a TypeError for anything that is not a mailbox id: for values from our own keys and messages, not for user input. */
export function mailboxId(value: string): MailboxId {
  if (!MAILBOX_ID_PATTERN.test(value)) throw new TypeError(`not a mailbox id: ${JSON.stringify(value)}`)
  return value as MailboxId
}

/** Throws a TypeError for anything but 64 lower-case hex digits. */
export function sha256(value: string): Sha256 {
  if (!SHA256_PATTERN.test(value)) throw new TypeError(`not a SHA-256: ${JSON.stringify(value)}`)
  return value as Sha256
}

/** Throws a TypeError for anything that RFC 9051 does not allow as a UID. */
export function uid(value: number): Uid {
  if (!Number.isInteger(value) || value < 1 || value > 0xffff_ffff) throw new TypeError(`not a UID: ${value}`)
  return value as Uid
}
