// SASL messages of one log-in (RFC 4422), as text before base64.

/** RFC 4616. */
export function plainMessage(user: string, password: string): string {
  return `\0${user}\0${password}`
}

/** Google's and Microsoft's mechanism, older than the standard. */
export function xoauth2Message(user: string, accessToken: string): string {
  return `user=${user}\x01auth=Bearer ${accessToken}\x01\x01`
}

/** RFC 7628, 3.1; the name is escaped as in RFC 5801, 4. */
export function oauthBearerMessage(
  user: string,
  accessToken: string,
  { host, port }: { readonly host: string; readonly port: number },
): string {
  const name = user.replaceAll('=', '=3D').replaceAll(',', '=2C')
  return `n,a=${name},\x01host=${host}\x01port=${port}\x01auth=Bearer ${accessToken}\x01\x01`
}

/** What a server sends before it refuses a token (RFC 7628, 3.2.2), for people: status and scope, never more. */
export function bearerError(challenge: string): string {
  try {
    return bearerErrorOf(JSON.parse(Buffer.from(challenge, 'base64').toString('utf8')))
  } catch {
    return ''
  }
}

export function bearerErrorOf(said: unknown): string {
  if (typeof said !== 'object' || said === null) return ''
  const { status, scope } = said as { status?: unknown; scope?: unknown }
  const parts = { status, scope }
  return Object.entries(parts)
    .filter(([, value]) => typeof value === 'string')
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')
}
