import { openMemoryState } from '../../shared/state/memory.ts'
import { stateContract } from '../contract/state.ts'

stateContract('memory', async () => ({ state: openMemoryState(), close: async () => {} }))
