// What is known of mail providers: the one place for it, each value with where and when it was read. `provider:` in mailsluice.yaml fills
// in from here what the operator leaves out (presets.ts); docs/providers.md is written from here, and a test compares the two.

/** A value, the page that says so, and when it was read there. */
export interface Fact<Value> {
  readonly value: Value
  readonly source: string
  /** `2026-11`, and how when it was not the page itself. */
  readonly read: string
}

export interface Endpoint {
  readonly host: string
  readonly port: number
  readonly tls: 'implicit' | 'starttls'
}

export interface ProviderOAuth2 {
  readonly grant: 'client-credentials' | 'service-account' | 'refresh-token'
  /** `{tenant}` stands for the directory of the organisation. */
  readonly tokenUrl: string
  readonly scope: string
}

export interface Provider {
  readonly name: string
  /** Domains of its own addresses. */
  readonly domains: readonly string[]
  /** Ends of the names of its MX hosts, by which a domain of a customer is told. */
  readonly mx: readonly string[]
  readonly imap: Fact<Endpoint> | undefined
  readonly pop3: Fact<Endpoint> | undefined
  /** What is signed in with, when the operator does not say. */
  readonly auth: Fact<'password' | 'oauth2'>
  readonly oauth2?: Fact<ProviderOAuth2> | undefined
  /** The name to sign in with: the whole address, or what is before the @. */
  readonly user: Fact<'address' | 'local part'>
  /** Sessions of one mailbox at the same time; other clients of its user count. */
  readonly connections?: Fact<number> | undefined
  /** Octets that may be fetched in a day; those of other clients count. */
  readonly octetsPerDay?: { readonly imap?: Fact<number>; readonly pop3?: Fact<number> } | undefined
  /** The provider ends an IDLE that is older. */
  readonly idleRenewal?: Fact<string> | undefined
  /** Folders that wildcards leave out, by their use (RFC 6154). */
  readonly skipFolders?: Fact<readonly string[]> | undefined
  /** What a person does before the first log-in, in order: which page, which permission, which command. */
  readonly steps: readonly string[]
  /** What is otherwise there than elsewhere, and what to set for it. */
  readonly notes?: readonly string[]
}

/** Thunderbird's list of providers: theirs, not the providers' own, and by commit, for it may say something else tomorrow. */
function thunderbird(commit: string, file: string): { source: string; read: string } {
  return {
    source: `https://github.com/thunderbird/autoconfig/blob/${commit}/ispdb/${file}`,
    read: "2026-11, Thunderbird's list",
  }
}

const GOOGLE_PROTOCOLS = {
  source: 'https://developers.google.com/workspace/gmail/imap/imap-smtp',
  read: '2026-11',
}
const GOOGLE_CLIENTS = thunderbird('c18f864ade384725c6781246c3821e67ec0a8954', 'googlemail.com.xml')
const GOOGLE_BANDWIDTH = {
  source: 'https://support.google.com/a/answer/1071518',
  read: '2016, copies; the same number in 2022',
}
const GOOGLE_PASSWORDS = { source: 'https://support.google.com/mail/answer/6089246', read: '2025, a copy' }
const GOOGLE_DELEGATION = {
  source: 'https://cloud.google.com/accounts/docs/OAuth2ServiceAccount',
  read: '2026-11',
}
const MICROSOFT_OAUTH = {
  source:
    'https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth',
  read: '2026-11',
}
const OUTLOOK = thunderbird('24d0d006a50bdcf80688c8093bb8579ccc5582e2', 'hotmail.com.xml')
const MICROSOFT_IMAP = {
  source: 'https://github.com/simonrob/email-oauth2-proxy/issues/77',
  read: '2026-11, a recorded log-in of 2022',
}
const MICROSOFT_POP = {
  source: 'https://github.com/simonrob/email-oauth2-proxy/issues/244',
  read: '2026-11, a recorded log-in of 2024',
}
const APPLE = {
  source: 'https://support.postbox-inc.com/hc/en-us/articles/202200110-Setting-up-iCloud-Me-or-Mac',
  read: '2026-11, a page of others',
}
const YAHOO = {
  source: 'https://github.com/Enough-Software/enough_mail/issues/245',
  read: '2026-11, a recorded log-in of 2024',
}
const YAHOO_POP = {
  source: 'https://unanswered.io/guide/yahoo-mail-protocols-imap-pop-smtp-settings',
  read: '2026-11, a page of others',
}
const AOL = thunderbird('8fcab30b1d8bb46dd909e7daaf036439851fbc62', 'aol.com.xml')
const FASTMAIL = {
  source: 'https://www.fastmail.com/help/technical/servernamesandports.html',
  read: '2026-11',
}
const ZOHO = {
  source: 'https://www.zoho.com/mail/help/imap-access.html',
  read: '2026-11, its beginning; the hosts as others quote them',
}
const ZOHO_POP = {
  source: 'https://www.zoho.com/mail/help/pop-access.html',
  read: '2026-11, an older version of it',
}
const GMX = thunderbird('9aab843871be9a8dc009d2043159f0e48f31f111', 'gmx.net.xml')
const GMX_IMAP = {
  source: 'https://github.com/chatmail/provider-db/blob/master/_providers/gmx.net.md',
  read: '2026-11, checked there in 2017',
}
const WEBDE = thunderbird('415cb8163745992625dba71b810a4323ee1cbed1', 'web.de.xml')
const WEBDE_IMAP = {
  source: 'https://github.com/chatmail/provider-db/blob/master/_providers/web.de.md',
  read: '2026-11, checked there in 2020',
}

const MB = 1_000_000

function fact<Value>(value: Value, { source, read }: { source: string; read: string }): Fact<Value> {
  return { value, source, read }
}

function tls(host: string, port: 993 | 995): Endpoint {
  return { host, port, tls: 'implicit' }
}

/** Gmail shows every message in All Mail besides its folders, so that a wildcard would count most of them twice. */
const GMAIL_FOLDERS = {
  imap: fact(tls('imap.gmail.com', 993), GOOGLE_PROTOCOLS),
  pop3: fact(tls('pop.gmail.com', 995), GOOGLE_PROTOCOLS),
  user: fact('address', GOOGLE_CLIENTS),
  connections: fact(15, {
    source: 'https://github.com/dlt-hub/verified-sources/pull/615',
    read: '2026-11, of 2025-05; the same number in 2016',
  }),
  octetsPerDay: { imap: fact(2500 * MB, GOOGLE_BANDWIDTH), pop3: fact(1250 * MB, GOOGLE_BANDWIDTH) },
  // RFC 2177 advises 29 minutes; Gmail ends what is silent for about ten.
  idleRenewal: fact('9m', {
    source:
      'https://github.com/jstedfast/MailKit/blob/0ad6ec99fca31592b2f2c6635ae8d6f323899835/samples/ImapIdle/ImapIdle/IdleClient.cs',
    read: '2026-11, as the authors of a mail library saw it',
  }),
  skipFolders: fact(['\\All', '\\Important', '\\Flagged'], {
    source: 'https://github.com/jstedfast/MailKit/issues/1396',
    read: '2026-11, as the server lists them',
  }),
  notes: [
    'By default INBOX alone is drained: mail that a filter, a person or a phone archives past it is not seen.',
    'folders: ["*"] drains every label, a message that has two of them twice (it is announced once). All Mail is left out, and with it mail that has no label.',
    'folders: ["\\\\All"] drains All Mail instead: every message once, labelled or not, but those in Spam and Trash, and with drafts and what was sent.',
  ],
} satisfies Partial<Provider>

export const PROVIDERS = {
  gmail: {
    ...GMAIL_FOLDERS,
    name: 'Gmail',
    domains: ['gmail.com', 'googlemail.com'],
    mx: [],
    auth: fact('password', { source: 'https://support.google.com/accounts/answer/185833', read: '2026-11' }),
    oauth2: fact(
      {
        grant: 'refresh-token',
        tokenUrl: 'https://oauth2.googleapis.com/token',
        scope: 'https://mail.google.com/',
      },
      GOOGLE_PROTOCOLS,
    ),
    steps: [
      'Switch on 2-Step Verification of the account: https://myaccount.google.com/security',
      'Make an app password and use it as the password: https://myaccount.google.com/apppasswords',
      'For POP3 only: Gmail, Settings, Forwarding and POP/IMAP, Enable POP.',
    ],
  },
  'google-workspace': {
    ...GMAIL_FOLDERS,
    name: 'Google Workspace',
    domains: [],
    mx: ['.google.com', '.googlemail.com'],
    auth: fact('oauth2', GOOGLE_PASSWORDS),
    oauth2: fact(
      {
        grant: 'service-account',
        tokenUrl: 'https://oauth2.googleapis.com/token',
        scope: 'https://mail.google.com/',
      },
      GOOGLE_DELEGATION,
    ),
    steps: [
      'Google Cloud console, IAM & Admin, Service accounts: create one, then Keys, Add key, JSON. The file is the secret: https://console.cloud.google.com/iam-admin/serviceaccounts',
      'Enable the Gmail API in the same project: https://console.cloud.google.com/apis/library/gmail.googleapis.com',
      'Google Admin console, Security, API controls, Domain-wide delegation, Add new: the client id of the service account (its `client_id`, a number) with the scope https://mail.google.com/ : https://admin.google.com/ac/owl/domainwidedelegation',
      'Google Admin console, Apps, Google Workspace, Gmail, End user access: POP and IMAP access must be on for the unit of the mailbox.',
    ],
  },
  microsoft365: {
    name: 'Microsoft 365',
    domains: [],
    mx: ['.mail.protection.outlook.com', '.mx.microsoft'],
    imap: fact(tls('outlook.office365.com', 993), MICROSOFT_IMAP),
    pop3: fact(tls('outlook.office365.com', 995), MICROSOFT_POP),
    auth: fact('oauth2', MICROSOFT_OAUTH),
    oauth2: fact(
      {
        grant: 'client-credentials',
        tokenUrl: 'https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token',
        scope: 'https://outlook.office365.com/.default',
      },
      MICROSOFT_OAUTH,
    ),
    user: fact('address', MICROSOFT_OAUTH),
    connections: fact(20, {
      source:
        'https://learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/pop3-and-imap4/pop3-and-imap4',
      read: '2011, not confirmed since',
    }),
    steps: [
      'Microsoft Entra admin center, App registrations, New registration (single tenant). Note the application (client) id and the directory (tenant) id: https://entra.microsoft.com/#view/Microsoft_AAD_RegisteredApps/ApplicationsListBlade',
      'API permissions, Add, APIs my organization uses, Office 365 Exchange Online, Application permissions: IMAP.AccessAsApp (for POP3: POP.AccessAsApp). Then Grant admin consent.',
      'Certificates & secrets: upload a certificate, or make a client secret. Note the day on which it expires.',
      'Exchange Online PowerShell, with the object id of the ENTERPRISE application (not of the registration): New-ServicePrincipal -AppId <client id> -ObjectId <object id>',
      'For each mailbox: Add-MailboxPermission -Identity <mailbox> -User <object id> -AccessRights FullAccess',
      'For each mailbox: Set-CASMailbox -Identity <mailbox> -ImapEnabled $true (for POP3: -PopEnabled $true). It takes up to an hour until all of this counts.',
    ],
  },
  outlook: {
    name: 'Outlook.com',
    domains: ['outlook.com', 'hotmail.com', 'live.com', 'msn.com', 'outlook.de', 'hotmail.de', 'live.de'],
    mx: ['.olc.protection.outlook.com'],
    imap: fact(tls('outlook.office365.com', 993), MICROSOFT_IMAP),
    pop3: fact(tls('outlook.office365.com', 995), MICROSOFT_POP),
    auth: fact('oauth2', OUTLOOK),
    oauth2: fact(
      {
        grant: 'refresh-token',
        tokenUrl: 'https://login.microsoftonline.com/consumers/oauth2/v2.0/token',
        scope: 'https://outlook.office.com/IMAP.AccessAsUser.All offline_access',
      },
      MICROSOFT_OAUTH,
    ),
    user: fact('address', OUTLOOK),
    steps: [
      'Outlook.com, Settings, Mail, Forwarding and IMAP: let devices and apps use IMAP (or POP).',
      'Microsoft Entra admin center, App registrations, New registration for personal accounts, public client; delegated permission IMAP.AccessAsUser.All (for POP3: POP.AccessAsUser.All) and offline_access.',
      'Sign in once as the owner of the mailbox (device code or authorization code flow) and keep the refresh token as the secret. An account that is not used for 90 days needs a new one.',
    ],
  },
  icloud: {
    name: 'iCloud Mail',
    domains: ['icloud.com', 'me.com', 'mac.com'],
    mx: ['.mail.icloud.com'],
    imap: fact(tls('imap.mail.me.com', 993), APPLE),
    pop3: undefined,
    auth: fact('password', APPLE),
    user: fact('local part', APPLE),
    steps: [
      'Switch on two-factor authentication of the Apple Account.',
      'Make an app-specific password and use it as the password: https://account.apple.com, Sign-In and Security. Changing the password of the account revokes all of them.',
    ],
  },
  yahoo: {
    name: 'Yahoo Mail',
    domains: [
      'yahoo.com',
      'ymail.com',
      'rocketmail.com',
      'yahoo.de',
      'yahoo.co.uk',
      'yahoo.fr',
      'yahoo.it',
      'yahoo.es',
    ],
    mx: ['.yahoodns.net'],
    imap: fact(tls('imap.mail.yahoo.com', 993), YAHOO),
    pop3: fact(tls('pop.mail.yahoo.com', 995), YAHOO_POP),
    auth: fact('password', { source: 'https://help.yahoo.com/kb/SLN15241.html', read: '2026-11' }),
    user: fact('address', YAHOO),
    connections: fact(3, {
      source: 'https://bugzilla.mozilla.org/show_bug.cgi?id=1727971',
      read: '2026-11, as quoted by others',
    }),
    steps: [
      'Make an app password and use it as the password: https://login.yahoo.com/account/security, Generate app password.',
    ],
  },
  aol: {
    name: 'AOL Mail',
    domains: ['aol.com', 'aim.com', 'aol.de', 'aol.co.uk'],
    mx: [],
    imap: fact(tls('imap.aol.com', 993), AOL),
    pop3: fact(tls('pop.aol.com', 995), AOL),
    auth: fact('password', {
      source: 'https://help.aol.com/articles/Create-and-manage-app-password',
      read: '2026-11',
    }),
    user: fact('address', AOL),
    steps: [
      'Make an app password and use it as the password: https://login.aol.com/account/security, Generate app password.',
    ],
  },
  fastmail: {
    name: 'Fastmail',
    domains: ['fastmail.com', 'fastmail.fm'],
    mx: ['.messagingengine.com'],
    imap: fact(tls('imap.fastmail.com', 993), FASTMAIL),
    pop3: fact(tls('pop.fastmail.com', 995), FASTMAIL),
    auth: fact('password', FASTMAIL),
    user: fact('address', FASTMAIL),
    steps: [
      'Fastmail, Settings, Privacy & Security, Manage app passwords: make one with access to IMAP (or POP) and use it as the password: https://app.fastmail.com/settings/security/apps',
    ],
  },
  zoho: {
    name: 'Zoho Mail',
    domains: ['zoho.com', 'zohomail.com', 'zoho.eu', 'zohomail.eu'],
    mx: ['.zoho.com', '.zoho.eu', '.zohomail.com'],
    imap: fact(tls('imap.zoho.com', 993), ZOHO),
    pop3: fact(tls('pop.zoho.com', 995), ZOHO_POP),
    auth: fact('password', ZOHO),
    user: fact('address', ZOHO),
    steps: [
      'The host follows the data centre and the plan, and Zoho Mail, Settings, Mail accounts, IMAP shows it: set host to imappro.zoho.com (organisations; by POP3 poppro.zoho.com), imap.zoho.eu or imappro.zoho.eu (Europe) where it differs.',
      'On the same page: switch on IMAP access (or POP). The administrator may have to allow it first.',
      'With two-factor authentication: make an application-specific password: https://accounts.zoho.com/home#security/app_password',
    ],
  },
  gmx: {
    name: 'GMX',
    domains: ['gmx.net', 'gmx.de', 'gmx.at', 'gmx.ch'],
    mx: ['.gmx.net'],
    imap: fact(tls('imap.gmx.net', 993), GMX_IMAP),
    pop3: fact(tls('pop.gmx.net', 995), GMX),
    auth: fact('password', {
      source: 'https://hilfe.gmx.net/sicherheit/2fa/anwendungsspezifisches-passwort.html',
      read: '2026-11',
    }),
    user: fact('address', GMX),
    steps: [
      'GMX, E-Mail, Settings (E-Mail-Einstellungen), POP3/IMAP Abruf: allow access by POP3 and IMAP.',
      'With two-factor authentication: make an application-specific password (anwendungsspezifisches Passwort) in Mein Account, Sicherheit.',
    ],
  },
  webde: {
    name: 'WEB.DE',
    domains: ['web.de'],
    mx: ['.web.de'],
    imap: fact(tls('imap.web.de', 993), WEBDE_IMAP),
    pop3: fact(tls('pop3.web.de', 995), WEBDE),
    auth: fact('password', {
      source: 'https://web.de/email/sicherheit/zwei-faktor-authentifizierung/',
      read: '2026-11',
    }),
    user: fact('local part', WEBDE),
    notes: [
      'If what is before the @ is refused, set user to the whole address.',
      "Use IMAP: by Thunderbird's list a log-in by POP3 is refused that comes less than 15 minutes after another, and looking for mail and draining it are two. Where it must be POP3, let `mailsluice drain` run every 20 minutes.",
    ],
    steps: [
      'WEB.DE, E-Mail, Settings (E-Mail-Einstellungen), POP3/IMAP Abruf: allow access by POP3 and IMAP.',
      'With two-factor authentication: make an application-specific password (anwendungsspezifisches Passwort) in the Kundencenter, Sicherheit.',
    ],
  },
} as const satisfies Record<string, Provider>

export type ProviderId = keyof typeof PROVIDERS

export const PROVIDER_IDS = Object.keys(PROVIDERS) as [ProviderId, ...ProviderId[]]

export function providerOf(id: ProviderId): Provider {
  return PROVIDERS[id]
}

/** The provider whose own addresses these are. */
export function providerOfDomain(domain: string): ProviderId | undefined {
  const name = domain.toLowerCase()
  return PROVIDER_IDS.find((id) => (PROVIDERS[id].domains as readonly string[]).includes(name))
}

/** The provider that receives the mail of a domain, by its MX hosts. */
export function providerOfMx(hosts: readonly string[]): ProviderId | undefined {
  const names = hosts.map((host) => `.${host.toLowerCase().replace(/\.$/, '')}`)
  const ends = PROVIDER_IDS.flatMap((id) => PROVIDERS[id].mx.map((end) => ({ id, end })))
  // The longer end says more: Outlook.com's hosts end in those of Microsoft 365.
  ends.sort((a, b) => b.end.length - a.end.length)
  return ends.find(({ end }) => names.some((name) => name.endsWith(end)))?.id
}
