import { inspect } from 'node:util'
import { IngestError } from '../errors.ts'
import { oauthBearerMessage, plainMessage, xoauth2Message } from '../mailbox/sasl.ts'
import type { LoginSecret } from './credentials.ts'

/** Shorter ones are in every other word. */
const LEAST_CHARACTERS = 4

/**
 * Takes a secret out of a text, as it is and as it goes over the wire. A server may send back what it was sent, in its refusal and so in the
 * transcript and the error: neither may hold it.
 */
export function maskOf(
  secret: LoginSecret,
  { user, host, port }: { readonly user: string; readonly host: string; readonly port: number },
): (text: string) => string {
  const value = secret.kind === 'password' ? secret.password : secret.accessToken
  if (value.length < LEAST_CHARACTERS) return (text) => text
  const messages =
    secret.kind === 'password'
      ? [value, plainMessage(user, value)]
      : [value, xoauth2Message(user, value), oauthBearerMessage(user, value, { host, port })]
  const forms = [value, ...messages.map((message) => Buffer.from(message).toString('base64'))]
  // Quoted, as a string of IMAP or JSON has it.
  forms.push(value.replace(/[\\"]/g, '\\$&'))
  return (text) => forms.reduce((masked, form) => masked.replaceAll(form, '***'), text)
}

/** The error without the secret; its cause goes with it when it holds the secret too. */
export function maskError(error: unknown, mask: (text: string) => string): unknown {
  if (!(error instanceof IngestError)) return error
  const message = mask(error.message)
  const shown = inspect(error.cause, { depth: 6, showHidden: false })
  const clean = mask(shown) === shown
  if (message === error.message && clean) return error
  return new IngestError(error.code, message, clean ? { cause: error.cause } : {})
}
