import { lambdaChainContract } from '../contract/lambda-chain.ts'
import { openScriptedBuckets } from '../support/scripted-buckets.ts'

lambdaChainContract('an S3 that answers as AWS documents', openScriptedBuckets)
