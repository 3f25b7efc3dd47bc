import * as z from 'zod'
import { isGroup, LOOPBACK, type Mistake, type Written } from './written.ts'

/** The settings beside `auth: oauth2`. The secret itself is where `credential` points to (docs/providers.md has its formats). */
export const oauth2Schema = z.strictObject({
  grant: z
    .enum(['client-credentials', 'service-account', 'refresh-token'])
    .describe(
      'client-credentials: an application of its own, with a secret or certificate. service-account: Google, with domain-wide delegation. refresh-token: any provider, after a person signed in once.',
    ),
  tokenUrl: z
    .string('missing; expected the URL of the token endpoint, or for Microsoft 365 oauth2.tenant')
    .refine(isTokenUrl, 'expected an https URL (http for a loopback host alone)')
    .describe('The token endpoint.'),
  clientId: z.string().min(1).optional().describe('Of the application; a service account has its own.'),
  tenant: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9.-]*$/, 'expected the id or a domain of the directory')
    .optional()
    .describe('Microsoft 365: the directory (tenant) id or one of its domains.'),
  scope: z.string().min(1).optional().describe('What the token is asked for; the provider knows.'),
})

export type OAuth2Config = z.infer<typeof oauth2Schema>

/** What is wrong with the log-in of a mailbox besides each value. */
export function oauth2Mistakes({ auth, credential, oauth2 }: Written): Mistake[] {
  if (auth !== 'oauth2')
    return oauth2 === undefined
      ? []
      : [{ path: ['oauth2'], message: 'counts with auth: oauth2 alone; expected that, or no such settings' }]
  if (oauth2 === undefined)
    return [
      {
        path: ['oauth2'],
        message: 'missing; expected grant, tokenUrl and clientId, or a provider that knows them',
      },
    ]
  if (!isGroup(oauth2)) return []
  const mistakes: Mistake[] = []
  if (oauth2.grant !== 'service-account' && oauth2.clientId === undefined)
    mistakes.push({
      path: ['oauth2', 'clientId'],
      message: 'missing; expected the client id of the application',
    })
  if (oauth2.grant === 'refresh-token' && typeof credential === 'string' && credential.startsWith('env:'))
    mistakes.push({
      path: ['credential'],
      message:
        'the environment cannot keep a refresh token that the provider replaces; expected file:PATH, ssm:NAME or secretsmanager:ID',
    })
  return mistakes
}

function isTokenUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname, username, password } = new URL(text)
  if (username !== '' || password !== '') return false
  return protocol === 'https:' || (protocol === 'http:' && LOOPBACK.test(hostname))
}
