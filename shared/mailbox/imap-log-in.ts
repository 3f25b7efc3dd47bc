import type { MailboxAccess } from './mailbox.ts'
import { oauthBearerMessage, plainMessage, xoauth2Message } from './sasl.ts'

// How a log-in is said (RFC 9051, 6.2.2 and 6.2.3; RFC 4959; RFC 7628). In one round trip where the server takes it.

export type Secret =
  | { readonly by: 'password'; readonly password: string }
  | { readonly by: 'access token'; readonly accessToken: string }

/** One command without its tag. */
export interface LogIn {
  readonly first: string
  /** Stands for it in the transcript. */
  readonly shown: string
  /** The answer to a challenge, in the order in which they come; undefined ends the exchange. */
  next?(challenge: string): string | undefined
  /** What the server has said of a refused token. */
  oauthError?(): unknown
}

type Access = Pick<MailboxAccess, 'host' | 'port' | 'user'>

/** Why there is none. */
interface NoLogIn {
  readonly impossible: string
}

export function logInBy(offered: ReadonlySet<string>, access: Access, secret: Secret): LogIn | NoLogIn {
  return secret.by === 'password'
    ? byPassword(offered, access.user, secret.password)
    : byAccessToken(offered, access, secret.accessToken)
}

function byPassword(offered: ReadonlySet<string>, user: string, password: string): LogIn | NoLogIn {
  if (`${user}${password}`.includes('\0')) return { impossible: 'the user name or password holds NUL' }
  // Exchange: who signs in for somebody else has a name that AUTHENTICATE does not take.
  if (!/[\\/]/.test(user)) {
    if (offered.has('AUTH=PLAIN')) return mechanism('PLAIN', offered, plainMessage(user, password))
    if (offered.has('AUTH=LOGIN')) return byQuestions(user, password)
  }
  return offered.has('LOGINDISABLED') ? noWay('a password') : login(offered, user, password)
}

/** The mechanism that nobody ever wrote down: the server asks for the name, then for the password. */
function byQuestions(user: string, password: string): LogIn {
  let named = false
  return {
    first: 'AUTHENTICATE LOGIN',
    shown: 'AUTHENTICATE LOGIN',
    next(challenge) {
      const question = Buffer.from(challenge, 'base64')
        .toString('latin1')
        .toLowerCase()
        .replace(/[:\0]*$/, '')
      if (question === 'password') return base64(password)
      if (!/^user ?name$/.test(question) && (question !== '' || named)) return undefined
      named = true
      return base64(user)
    },
  }
}

function login(offered: ReadonlySet<string>, user: string, password: string): LogIn {
  const synchronizing = !offered.has('LITERAL+')
  const [first = '', ...rest] = [
    'LOGIN ',
    ...string(user, synchronizing),
    ' ',
    ...string(password, synchronizing),
  ]
    .join('')
    .split(PAUSE)
  return { first, shown: 'LOGIN ***', ...(rest.length > 0 && { next: () => rest.shift() }) }
}

/** Where the server is waited for; in no string of a log-in. */
const PAUSE = '\0'

/** A quoted string; a literal where there is more in it than one may hold. */
function string(text: string, synchronizing: boolean): string[] {
  if (/^[\x20-\x7e]*$/.test(text)) return [`"${text.replace(/[\\"]/g, '\\$&')}"`]
  const octets = Buffer.from(text)
  return [
    `{${octets.length}${synchronizing ? '}' : '+}\r\n'}`,
    synchronizing ? PAUSE : '',
    octets.toString('latin1'),
  ]
}

function byAccessToken(
  offered: ReadonlySet<string>,
  { user, host, port }: Access,
  accessToken: string,
): LogIn | NoLogIn {
  const bearer = offered.has('AUTH=OAUTHBEARER')
  if (!bearer && !offered.has('AUTH=XOAUTH2') && !offered.has('AUTH=XOAUTH')) return noWay('an access token')
  // Fields of the message end with this, so that a name with one in it could bring a token of its own.
  if (/[\x00-\x1f\x7f]/.test(user + accessToken))
    return { impossible: 'the user name or access token holds a control character' }
  const message = bearer
    ? oauthBearerMessage(user, accessToken, { host, port })
    : xoauth2Message(user, accessToken)
  const logIn = mechanism(bearer ? 'OAUTHBEARER' : 'XOAUTH2', offered, message)
  let error: unknown
  return {
    ...logIn,
    next(challenge) {
      const answer = logIn.next?.(challenge)
      if (answer !== undefined) return answer
      // The error comes as a challenge, and the refusal after an answer to it.
      error = parsed(challenge)
      return bearer ? 'AQ==' : ''
    },
    oauthError: () => error,
  }
}

/** Begins a mechanism whose one message is the client's, with the command where the server takes it there (SASL-IR). */
function mechanism(name: string, offered: ReadonlySet<string>, message: string): LogIn {
  const initial = offered.has('SASL-IR')
  const waiting = initial ? [] : [base64(message)]
  return {
    first: `AUTHENTICATE ${name}${initial ? ` ${base64(message)}` : ''}`,
    shown: `AUTHENTICATE ${name}${initial ? ' ***' : ''}`,
    next: () => waiting.shift(),
  }
}

function parsed(challenge: string): unknown {
  try {
    return JSON.parse(Buffer.from(challenge, 'base64').toString())
  } catch {
    return undefined
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}

function noWay(by: string): NoLogIn {
  return { impossible: `the server offers no way to sign in with ${by}` }
}
