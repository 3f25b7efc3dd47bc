import { userAt } from '../../shared/contract/presets.ts'
import { PROVIDER_IDS, type Provider, type ProviderId, providerOf } from '../../shared/contract/providers.ts'
import {
  type Discovered,
  discover,
  domainOf,
  isWithin,
  type Network,
} from '../../shared/discovery/discovery.ts'
import { ConfigurationError } from '../../shared/errors.ts'
import type { Output } from './output.ts'
import type { Answers } from './questions.ts'

/** Answers given as options. */
export interface MailboxAnswers {
  readonly id?: string
  readonly provider?: string
  readonly protocol?: string
  readonly host?: string
  readonly port?: number
  readonly tls?: string
  readonly ca?: string
  readonly user?: string
  readonly credential?: string
  readonly auth?: string
  readonly grant?: string
  readonly tenant?: string
  readonly clientId?: string
  readonly tokenUrl?: string
  readonly scope?: string
}

/** A mailbox as it is written into mailsluice.yaml. */
export interface MailboxDraft {
  readonly id: string
  readonly user: string
  readonly credential: string
  readonly auth: string
  readonly provider: Provider | undefined
  readonly settings: Readonly<Record<string, unknown>>
}

interface Asked {
  readonly address: string
  readonly given: MailboxAnswers
  readonly answers: Answers
  readonly output: Output
  readonly network: Network
  /** Ids that are taken. */
  readonly taken: readonly string[]
}

/** Finds the server, walks through what its provider needs, and asks for the rest. */
export async function draftMailbox(asked: Asked): Promise<MailboxDraft> {
  const { address, given, answers, output } = asked
  const found = given.provider === undefined && given.host === undefined ? await look(asked) : undefined
  const providerId = knownProvider(given.provider) ?? found?.provider
  const provider = providerId && providerOf(providerId)
  const server = found?.server
  const protocol =
    given.protocol ??
    server?.protocol ??
    (provider && !provider.pop3
      ? 'imap'
      : await answers.ask('--protocol', 'Protocol (imap, pop3)', {
          suggested: 'imap',
          check: (text) => (/^(imap|pop3)$/.test(text) ? undefined : 'expected imap or pop3'),
        }))
  const host =
    given.host ?? server?.host ?? (provider ? undefined : await answers.ask('--host', 'Mail server'))
  if (provider) tellSteps(provider, output)

  const auth = given.auth ?? provider?.auth.value ?? 'password'
  const oauth2 = auth === 'oauth2' ? await askOAuth2(provider, given, answers) : undefined
  const suggestedUser = providerId ? userAt(providerId, address) : address
  const user =
    given.user ?? (await answers.ask('--user', 'Name to sign in with', { suggested: suggestedUser }))
  const id =
    given.id ?? (await answers.ask('--id', 'Id of the mailbox', { suggested: freeId(address, asked.taken) }))
  if (asked.taken.includes(id))
    throw new ConfigurationError('init', [`--id: ${id} is taken; expected another`])
  const credential =
    given.credential ??
    (await answers.ask(
      '--credential',
      'Where the secret is kept (env:NAME, file:PATH, ssm:NAME, secretsmanager:ID)',
      {
        suggested: `file:secrets/${id}`,
        check: (text) =>
          /^(env|file|ssm|secretsmanager):./.test(text)
            ? undefined
            : 'expected where it is, and not the secret: env:NAME, file:PATH, ssm:NAME or secretsmanager:ID',
      },
    ))

  const tls = given.tls ?? server?.tls
  const port =
    given.port ?? (server && server.port !== defaultPort(protocol, server.tls) ? server.port : undefined)
  const settings = defined({
    id,
    provider: providerId,
    protocol: provider && protocol === 'imap' ? undefined : protocol,
    host,
    port,
    tls: tls === 'implicit' ? undefined : tls,
    ca: given.ca,
    user,
    credential,
    auth: auth === (provider?.auth.value ?? 'password') ? undefined : auth,
    oauth2: oauth2 && Object.keys(oauth2).length > 0 ? oauth2 : undefined,
  })
  return { id, user, credential, auth, provider, settings }
}

async function look({ address, answers, output, network }: Asked): Promise<Discovered | undefined> {
  output.note(`Looking for the mail server of ${domainOf(address)} …`)
  const found = await discover(address, network)
  if (found?.provider) {
    const { name } = providerOf(found.provider)
    const agreed = await answers.confirm(
      '--provider',
      `It is ${name} (by ${found.by}). Use what is known of it?`,
      true,
    )
    return agreed ? found : undefined
  }
  if (!found?.server) {
    output.note('Nobody says which it is.')
    return undefined
  }
  const { host, port, protocol, tls } = found.server
  const outside = !isWithin(host, address)
  const where = `${host}:${port}, ${protocol}, TLS ${tls} (by ${found.by}${outside ? '; NOT within the domain of the address' : ''})`
  return (await answers.confirm('--host', `It says ${where}. Send the password there?`, !outside))
    ? found
    : undefined
}

function tellSteps({ name, steps, notes = [] }: Provider, output: Output): void {
  output.note(`\nWhat ${name} needs before the first log-in:`)
  for (const [index, step] of steps.entries()) output.note(`  ${index + 1}. ${step}`)
  for (const note of notes) output.note(`  ${note}`)
  output.note('')
}

async function askOAuth2(
  provider: Provider | undefined,
  given: MailboxAnswers,
  answers: Answers,
): Promise<Readonly<Record<string, unknown>>> {
  const preset = provider?.oauth2?.value
  const grant =
    given.grant ??
    preset?.grant ??
    (await answers.ask('--grant', 'Grant (client-credentials, service-account, refresh-token)', {
      suggested: 'refresh-token',
    }))
  const wantsTenant = given.tokenUrl === undefined && preset?.tokenUrl.includes('{tenant}') === true
  const tenant =
    given.tenant ?? (wantsTenant ? await answers.ask('--tenant', 'Directory (tenant) id') : undefined)
  const tokenUrl =
    given.tokenUrl ?? (preset ? undefined : await answers.ask('--token-url', 'URL of the token endpoint'))
  const clientId =
    given.clientId ??
    (grant === 'service-account' ? undefined : await answers.ask('--client-id', 'Application (client) id'))
  return defined({
    grant: grant === preset?.grant ? undefined : grant,
    tokenUrl,
    tenant,
    clientId,
    scope: given.scope,
  })
}

function knownProvider(name: string | undefined): ProviderId | undefined {
  if (name === undefined) return undefined
  const id = PROVIDER_IDS.find((known) => known === name)
  if (id === undefined)
    throw new ConfigurationError('init', [
      `--provider: ${name} is not known; expected ${PROVIDER_IDS.join(', ')}`,
    ])
  return id
}

/** The local part of the address as an id, numbered when it is taken. */
function freeId(address: string, taken: readonly string[]): string {
  const local = address.slice(0, address.lastIndexOf('@')).toLowerCase()
  const id =
    local
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, 50) || 'mailbox'
  for (let number = 1; ; number++) {
    const numbered = number === 1 ? id : `${id}-${number}`
    if (!taken.includes(numbered)) return numbered
  }
}

function defaultPort(protocol: string, tls: 'implicit' | 'starttls'): number {
  if (tls === 'implicit') return protocol === 'imap' ? 993 : 995
  return protocol === 'imap' ? 143 : 110
}

function defined(settings: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined))
}
