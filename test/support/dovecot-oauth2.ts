import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startDovecot } from './dovecot.ts'
import type { MailServer } from './mail-server.ts'

/** A Dovecot that takes access tokens alone, by one mechanism, and asks an endpoint what they are worth (RFC 7662). */
export async function startOAuth2Dovecot(
  mechanism: 'xoauth2' | 'oauthbearer',
  introspectionUrl: string,
): Promise<MailServer> {
  const folder = await mkdtemp(join(tmpdir(), 'mailsluice-oauth2-'))
  const file = join(folder, 'oauth2.conf')
  await writeFile(
    file,
    `introspection_mode = post
introspection_url = ${introspectionUrl}
username_attribute = username
active_attribute = active
active_value = true
timeout_msecs = 5000
`,
  )
  const settings = `
auth_mechanisms = ${mechanism}
passdb {
  driver = oauth2
  mechanisms = ${mechanism}
  args = ${file}
}
`
  const server = await startDovecot({ settings })
  return {
    ...server,
    name: `Dovecot with ${mechanism.toUpperCase()}`,
    async stop() {
      await server.stop()
      await rm(folder, { recursive: true })
    },
  }
}
