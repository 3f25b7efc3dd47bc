import { App, Stack } from 'aws-cdk-lib'
import { MailArchive } from '../../infra/constructs/mail-archive.ts'
import { administrator, type Caller } from './iam.ts'
import { CONTEXT } from './stacks.ts'
import { type Policy, type TemplateJson, Templates } from './templates.ts'

const SOURCE_ROLE = 'arn:aws:iam::444455556666:role/MailArchiveReplication'

/** An archive that takes copies of one in another account. */
export function replica(): {
  readonly copyPolicy: Policy
  readonly copyArn: string
  readonly replicator: Caller
} {
  const app = new App({ context: CONTEXT })
  const stack = new Stack(app, 'copies')
  new MailArchive(stack, 'MailArchive', {
    retention: { mode: 'governance', days: 2555 },
    replicatesFrom: SOURCE_ROLE,
  })
  const world = new Templates([app.synth().getStackByName('copies').template as TemplateJson])
  const [bucket] = world.one('AWS::S3::Bucket', 'MailArchiveMail')
  const copyPolicy = world.bucketPolicyOf(bucket)
  if (!copyPolicy) throw new Error('the copy has no policy')
  return { copyPolicy, copyArn: world.arnOf(bucket), replicator: administrator(SOURCE_ROLE) }
}
